"""Weights of the reference: row bytes as placed, decoded to numbers when first used.

Decoded matrices are kept while they fit `CACHE_BYTES`; beyond that they are decoded again at every use.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.core.formats import dequantize
from harness.core.formats.table import BY_NAME, Format
from harness.core.plan.types import StoredTensor
from harness.core.reference.arithmetic import F32

CACHE_BYTES = 4 << 30

D = TypeVar("D")


@dataclass
class Room:
    """What is left for decoded matrices, over all tensors of a backend."""

    n_bytes: int = CACHE_BYTES

    def take(self, n_bytes: int) -> bool:
        """Whether `n_bytes` more may be kept; if so they are counted."""
        if n_bytes > self.n_bytes:
            return False
        self.n_bytes -= n_bytes
        return True


@dataclass(frozen=True)
class Decoder(Generic[D]):
    """How rows become what a product wants: `decode(format, rows, n_columns)`; `size` says what keeping it costs."""

    decode: Callable[[Format, NDArray[np.uint8], int], D]
    size: Callable[[D], int]


@dataclass(frozen=True)
class Stored:
    """One tensor's row form, [n_rows, row_bytes]; `n_slices` matrices one below the other."""

    data: NDArray[np.uint8]
    fmt: Format
    n_slices: int
    rows: int
    columns: int
    room: Room
    decoded: dict[int, object] = field(default_factory=dict, repr=False)

    def matrix(self, expert: int = 0, first: int = 0, count: int | None = None) -> "Matrix":
        """Rows `first` … of one expert's matrix, all that follow unless `count` is given."""
        return Matrix(self, expert, first, self.rows - first if count is None else count)

    def looked_up(self, rows: NDArray[np.int32]) -> F32:
        """float32 [n, columns] of the rows asked for."""
        return dequantize(self.fmt, np.ascontiguousarray(self.data[rows]), self.columns)

    def vector(self, expert: int = 0) -> F32:
        """A vector's numbers; of one expert where there are several."""
        numbers: F32 = dequantize(self.fmt, self.data[expert : expert + 1], self.columns)[0]
        return numbers

    def whole(self, expert: int, decoder: Decoder[D]) -> D:
        """One expert's matrix as `decoder` makes it."""
        if expert in self.decoded:
            return self.decoded[expert]  # type: ignore[return-value]  # one decoder per backend
        made = decoder.decode(self.fmt, self.data[expert * self.rows : (expert + 1) * self.rows], self.columns)
        if self.room.take(decoder.size(made)):
            self.decoded[expert] = made
        return made


@dataclass(frozen=True)
class Matrix:
    """A range of rows of one expert's matrix, as products want it."""

    stored: Stored
    expert: int
    first: int
    count: int

    def part(self, first: int, count: int) -> "Matrix":
        """Rows `first` … of this range."""
        return Matrix(self.stored, self.expert, self.first + first, count)

    @property
    def range(self) -> slice:
        """The rows within the expert's matrix."""
        return slice(self.first, self.first + self.count)


def stored_weight(tensor: StoredTensor, data: NDArray[np.uint8], room: Room) -> Stored:
    """`data` [n_rows, row_bytes] seen as what the plan says it is."""
    *outer, columns = tensor.shape
    rows = outer[-1] if outer else 1
    n_slices = outer[0] if len(outer) > 1 else 1
    return Stored(data, BY_NAME[tensor.format], n_slices, rows, columns, room)
