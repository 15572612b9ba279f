"""Turns weights into a stored tensor: which bytes of the file land where. Adjacent bytes become one piece."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.core.gguf import GgufFile
from harness.core.models.recipe import Weight
from harness.core.plan.types import Piece, StoredTensor


@dataclass(frozen=True)
class RowRange:
    """Rows `first` … of every slice of `weight`, `count` of them."""

    weight: Weight
    first: int
    count: int


def all_rows(weight: Weight) -> RowRange:
    """The whole weight."""
    return RowRange(weight, 0, weight.rows)


def stored(name: str, device: str, layout: str, ranges: Sequence[RowRange], file: GgufFile) -> StoredTensor:
    """The tensor holding, slice by slice, the rows of each range in turn. All ranges are of one format and width.

    `layout` "mapped" becomes "rows" where the bytes do not lie together in the file.
    """
    weight = ranges[0].weight
    shape_of_one = replace(weight, rows=sum(part.count for part in ranges)).shape
    pieces = tuple(_coalesced(_pieces(ranges, file)))
    return StoredTensor(
        name=name,
        device=device,
        format=weight.format,
        shape=shape_of_one,
        row_bytes=weight.row_bytes if weight.columns else weight.row_bytes * shape_of_one[-1],
        layout="rows" if layout == "mapped" and len(pieces) > 1 else layout,
        pieces=pieces,
    )


def _pieces(ranges: Sequence[RowRange], file: GgufFile) -> Iterator[Piece]:
    dest = 0
    for index in range(len(ranges[0].weight.slices)):
        for part in ranges:
            piece = part.weight.slices[index]
            source = file.tensors[piece.tensor]
            offset = source.offset + piece.offset + part.first * part.weight.row_bytes
            n_bytes = part.count * part.weight.row_bytes
            yield Piece(piece.tensor, source.shard, offset, n_bytes, dest)
            dest += n_bytes


def _coalesced(pieces: Iterator[Piece]) -> Iterator[Piece]:
    current: Piece | None = None
    for piece in pieces:
        if current is not None and _adjacent(current, piece):
            current = replace(current, n_bytes=current.n_bytes + piece.n_bytes)
            continue
        if current is not None:
            yield current
        current = piece
    if current is not None:
        yield current


def _adjacent(left: Piece, right: Piece) -> bool:
    same_place = (left.tensor, left.shard) == (right.tensor, right.shard)
    return same_place and left.file_offset + left.n_bytes == right.file_offset
