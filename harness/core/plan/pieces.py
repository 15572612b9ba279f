"""Turns weights into a stored tensor: which bytes of the file land where. Adjacent bytes become one piece."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.core.formats.table import BY_NAME
from harness.core.gguf import GgufFile
from harness.core.models.recipe import Weight
from harness.core.plan.types import Piece, StoredTensor


@dataclass(frozen=True)
class RowRange:
    """Rows `first` … of every slice of `weight`, `count` of them."""

    weight: Weight
    first: int
    count: int

    @property
    def rows(self) -> int:
        """Rows of one slice."""
        return self.count

    @property
    def columns(self) -> int:
        """Numbers in a row, 0 for a vector."""
        return self.weight.columns

    def piece(self, tensor: str, shard: int, offset: int, dest: int) -> Piece:
        """Those of the slice at `offset` of the file."""
        row_bytes = self.weight.row_bytes
        return Piece(tensor, shard, offset + self.first * row_bytes, self.count * row_bytes, dest)


@dataclass(frozen=True)
class ColumnRange:
    """Columns `first` … of every row of `weight`, `count` of them, both whole blocks of its format."""

    weight: Weight
    first: int
    count: int

    @property
    def rows(self) -> int:
        """Rows of one slice."""
        return self.weight.rows

    @property
    def columns(self) -> int:
        """Numbers in a row."""
        return self.count

    def piece(self, tensor: str, shard: int, offset: int, dest: int) -> Piece:
        """Those of the slice at `offset` of the file: one run of blocks for each row."""
        fmt, rows = BY_NAME[self.weight.format], self.weight.rows
        start = offset + fmt.row_bytes(self.first)
        n_bytes = rows * fmt.row_bytes(self.count)
        if self.count == self.weight.columns:
            return Piece(tensor, shard, start, n_bytes, dest)
        return Piece(tensor, shard, start, n_bytes, dest, rows, self.weight.row_bytes)


Range = RowRange | ColumnRange


def all_rows(weight: Weight) -> RowRange:
    """The whole weight."""
    return RowRange(weight, 0, weight.rows)


def stored(name: str, device: str, layout: str, ranges: Sequence[Range], file: GgufFile) -> StoredTensor:
    """The tensor holding, slice by slice, the rows of each range in turn. All ranges are of one format and width.

    `layout` "mapped" becomes "rows" where the bytes do not lie together in the file.
    """
    weight, columns = ranges[0].weight, ranges[0].columns
    shape_of_one = replace(weight, rows=sum(part.rows for part in ranges), columns=columns).shape
    pieces = tuple(_coalesced(_pieces(ranges, file)))
    together = len(pieces) == 1 and pieces[0].n_runs == 1
    return StoredTensor(
        name=name,
        device=device,
        format=weight.format,
        shape=shape_of_one,
        row_bytes=BY_NAME[weight.format].row_bytes(shape_of_one[-1]),
        layout="rows" if layout == "mapped" and not together else layout,
        pieces=pieces,
    )


def _pieces(ranges: Sequence[Range], file: GgufFile) -> Iterator[Piece]:
    dest = 0
    for index in range(len(ranges[0].weight.slices)):
        for part in ranges:
            piece = part.weight.slices[index]
            source = file.tensors[piece.tensor]
            yield (made := part.piece(piece.tensor, source.shard, source.offset + piece.offset, dest))
            dest += made.n_bytes


def _coalesced(pieces: Iterator[Piece]) -> Iterator[Piece]:
    current: Piece | None = None
    for piece in pieces:
        if current is not None and _adjacent(current, piece):
            current = replace(
                current,
                n_bytes=current.n_bytes + piece.n_bytes,
                n_runs=current.n_runs + piece.n_runs if current.stride else 1,
            )
            continue
        if current is not None:
            yield current
        current = piece
    if current is not None:
        yield current


def _adjacent(left: Piece, right: Piece) -> bool:
    alike = (left.tensor, left.shard, left.stride) == (right.tensor, right.shard, right.stride)
    if left.stride:
        next_run = left.file_offset + left.n_runs * left.stride
        return alike and left.run_bytes == right.run_bytes and next_run == right.file_offset
    return alike and left.file_offset + left.n_bytes == right.file_offset
