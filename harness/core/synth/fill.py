"""Contents of made tensors. Large weights repeat a pool of random rows from a start of their own, which costs a copy.

Every tensor is a function of (seed, name) alone, so that it does not change when other tensors are added.
"""

import zlib
from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from harness.core.formats import random_rows
from harness.core.formats.table import Format
from harness.core.gguf.writer import TensorSource
from harness.core.synth.tensors import Kind, TensorSpec

_POOL_BYTES = 8 << 20
_SPREAD: dict[Kind, tuple[float, float]] = {"norm": (1.0, 0.1), "bias": (0.0, 0.1), "sinks": (0.0, 1.0)}


class Filler:
    """Random contents for the tensors of one model; pools of rows are made once per format and width."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._pools: dict[tuple[Format, int], NDArray[np.uint8]] = {}

    def source(self, spec: TensorSpec) -> TensorSource:
        """What the writer needs to write the tensor `spec`."""
        return TensorSource(spec.name, spec.format, spec.shape, lambda: self._chunks(spec))

    def _chunks(self, spec: TensorSpec) -> Iterator[NDArray[np.uint8]]:
        rng = np.random.default_rng([self._seed, zlib.crc32(spec.name.encode())])
        if spec.kind == "weight":
            yield from _tiled(self._pool(spec.format, spec.shape[-1]), prod(spec.shape[:-1]), rng)
        else:
            yield _numbers(spec, rng).view(np.uint8)

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


def _numbers(spec: TensorSpec, rng: np.random.Generator) -> NDArray[np.float32]:
    if spec.kind == "router":
        return rng.standard_normal(spec.shape, np.float32) * np.float32(2 / np.sqrt(spec.shape[-1]))
    centre, spread = _SPREAD[spec.kind]
    return np.float32(centre) + np.float32(spread) * rng.standard_normal(spec.shape, np.float32)
