"""Random weights as they look in trained models, in any format, for tests and stand-ins."""

import numpy as np

from harness.core.formats.codec import Bytes, PlainCodec
from harness.core.formats.rows import codec, dequantize, take_apart
from harness.core.formats.table import Format


def random_rows(fmt: Format, n_rows: int, n_columns: int, rng: np.random.Generator) -> Bytes:
    """Rows uint8 [n_rows, row_bytes] of random weights with mean near 0 and standard deviation near 1/sqrt(n_columns).

    Every code is possible and every block has a scale of its own, so that a scale taken from a neighbour shows.
    """
    found = codec(fmt)
    deviation = np.float32(1 / np.sqrt(n_columns))
    if isinstance(found, PlainCodec):
        return found.from_float(rng.standard_normal((n_rows, n_columns), np.float32) * deviation)
    rows = rng.integers(0, 256, (n_rows, fmt.row_bytes(n_columns)), np.uint8)
    blocks = take_apart(fmt, rows, n_columns)
    step = rng.uniform(0.5, 1.5, blocks.body.shape[:2]).astype(np.float32)
    found.write_scale(blocks, step)
    found.write_scale(blocks, step * (deviation / dequantize(fmt, rows[:64], n_columns).std()))
    return rows
