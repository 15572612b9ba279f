"""Cuts a stored tensor into chunks of whole rows, each filled from fragments of the file.

Every byte of the row form is in exactly one fragment of one chunk, whatever the pieces look like.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from harness.core.plan.types import Piece, StoredTensor

CHUNK_BYTES = 9 << 18
"""What caches still hold when the bytes that were read are placed; larger chunks are fetched from memory again. Smaller
ones have two readers begin the same huge page more often, which the system then clears twice."""
ROW_MULTIPLE = 32


@dataclass(frozen=True)
class Fragment:
    """`n_bytes` of file `shard` at `file_offset` belong at `chunk_offset` of the chunk; runs as in a `Piece`."""

    shard: int
    file_offset: int
    n_bytes: int
    chunk_offset: int
    n_runs: int = 1
    stride: int = 0

    @property
    def span_bytes(self) -> int:
        """Bytes of the file from the first byte to the last."""
        return (self.n_runs - 1) * self.stride + self.n_bytes // self.n_runs


@dataclass(frozen=True)
class Chunk:
    """Rows `first_row` … of `tensor`, `n_rows` of them."""

    tensor: StoredTensor
    first_row: int
    n_rows: int
    fragments: tuple[Fragment, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes of its rows."""
        return self.n_rows * self.tensor.row_bytes


def cut(tensor: StoredTensor, chunk_bytes: int) -> Iterator[Chunk]:
    """The tensor in chunks of at most `chunk_bytes`, or of one row; more rows come in multiples of 32.

    Where columns are cut off, that holds for the rows as they are in the file. Large experts, and their halves in a
    merge, share no chunk: each is read where it comes in the file, which is cut in the same places merged or not.
    """
    most = max(1, chunk_bytes // max(tensor.row_bytes, *(piece.stride for piece in tensor.pieces)))
    if most > ROW_MULTIPLE:
        most -= most % ROW_MULTIPLE
    ahead = iter(tensor.pieces)
    pending: list[Piece] = []
    for first, count in _spans(tensor, most):
        start, end = first * tensor.row_bytes, (first + count) * tensor.row_bytes
        pending = [piece for piece in pending if piece.dest_offset + piece.n_bytes > start]
        while not pending or pending[-1].dest_offset + pending[-1].n_bytes < end:
            pending.append(next(ahead))
        yield Chunk(tensor, first, count, tuple(_overlap(piece, start, end) for piece in pending))


def _spans(tensor: StoredTensor, most: int) -> Iterator[tuple[int, int]]:
    """First row and number of rows of every chunk, of at most `most` rows."""
    begin = 0
    for n_rows in _stretches(tensor, most):
        even = -(-n_rows // -(-n_rows // most))
        step = min(most, -(-even // ROW_MULTIPLE) * ROW_MULTIPLE)
        yield from ((begin + row, min(step, n_rows - row)) for row in range(0, n_rows, step))
        begin += n_rows


def _stretches(tensor: StoredTensor, most: int) -> list[int]:
    """Rows of every stretch that chunks end with: a piece's experts each, or the whole tensor where they are small."""
    expert = tensor.shape[-2] if len(tensor.shape) > 2 else tensor.n_rows
    rows: list[int] = []
    for piece in tensor.pieces:
        n_rows, rest = divmod(piece.n_bytes, tensor.row_bytes)
        n_experts = n_rows // expert if n_rows % expert == 0 else 1
        if rest or n_rows // n_experts < most:
            return [tensor.n_rows]
        rows += [n_rows // n_experts] * n_experts
    return rows


class RowFinder:
    """Finds the chunk of any rows of a tensor, however many pieces that has."""

    def __init__(self, tensor: StoredTensor) -> None:
        self._tensor = tensor
        self._starts = [piece.dest_offset for piece in tensor.pieces]

    def chunk(self, first_row: int, n_rows: int) -> Chunk:
        """Rows `first_row` …, `n_rows` of them."""
        start, end = (row * self._tensor.row_bytes for row in (first_row, first_row + n_rows))
        within = slice(bisect_right(self._starts, start) - 1, bisect_left(self._starts, end))
        parts = (_overlap(piece, start, end) for piece in self._tensor.pieces[within])
        return Chunk(self._tensor, first_row, n_rows, tuple(parts))


def _overlap(piece: Piece, start: int, end: int) -> Fragment:
    """The part of `piece` within bytes start … end of the row form."""
    low, high = max(piece.dest_offset, start), min(piece.dest_offset + piece.n_bytes, end)
    if piece.n_runs > 1:  # a run is a row, and chunks are whole rows
        first, n_runs = (low - piece.dest_offset) // piece.run_bytes, (high - low) // piece.run_bytes
        offset = piece.file_offset + first * piece.stride
        return Fragment(piece.shard, offset, high - low, low - start, n_runs, piece.stride)
    return Fragment(piece.shard, piece.file_offset + low - piece.dest_offset, high - low, low - start)
