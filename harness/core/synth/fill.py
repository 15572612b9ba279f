"""Contents of made tensors. Large weights repeat a pool of random rows from a start of their own, which costs a copy.

Every part of a tensor is a function of (seed, its name) alone, so that it does not change with what lies beside it.
"""

import zlib
from collections.abc import Iterator
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from harness.core.formats import random_rows
from harness.core.formats.table import Format
from harness.core.gguf.writer import TensorSource
from harness.core.synth.tensors import Kind, TensorSpec

_POOL_BYTES = 8 << 20
_SPREAD: dict[Kind, tuple[float, float]] = {"norm": (1.0, 0.1), "bias": (0.0, 0.1), "sinks": (0.0, 1.0)}
"""Mean and standard deviation. A router's logits have a deviation of 2, so that tokens differ in their experts."""


class Filler:
    """Random contents for the tensors of one model; pools of rows are made once per format and width."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._pools: dict[tuple[Format, int], NDArray[np.uint8]] = {}

    def source(self, spec: TensorSpec) -> TensorSource:
        """What the writer needs to write the tensor `spec`."""
        return TensorSource(spec.name, spec.format, spec.shape, lambda: self._chunks(spec))

    def _chunks(self, spec: TensorSpec) -> Iterator[NDArray[np.uint8]]:
        for part in spec.parts:
            rng = np.random.default_rng([self._seed, zlib.crc32(part.encode())])
            if spec.kind == "weight":
                pool = self._pool(spec.format, spec.shape[-1])
                yield from _tiled(pool, prod(spec.shape[:-1]) // len(spec.parts), rng)
            else:
                yield _numbers(spec, prod(spec.shape) // len(spec.parts), rng).view(np.uint8)

    def _pool(self, fmt: Format, n_columns: int) -> NDArray[np.uint8]:
        """An odd number of rows, so that equal matrices drawn from it do not line up."""
        if (fmt, n_columns) not in self._pools:
            n_rows = max(1 << 10, _POOL_BYTES // fmt.row_bytes(n_columns)) | 1
            rng = np.random.default_rng([self._seed, fmt.type_id, n_columns])
            self._pools[fmt, n_columns] = random_rows(fmt, n_rows, n_columns, rng)
        return self._pools[fmt, n_columns]


def _tiled(pool: NDArray[np.uint8], n_rows: int, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """`n_rows` rows in runs of the pool, each run from a place of its own."""
    while n_rows:
        first = int(rng.integers(len(pool)))
        run = pool[first : first + n_rows]
        yield run
        n_rows -= len(run)


def _numbers(spec: TensorSpec, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    centre, spread = _SPREAD.get(spec.kind, (0.0, 2 / sqrt(spec.shape[-1])))
    return np.float32(centre) + np.float32(spread) * rng.standard_normal(n, np.float32)
