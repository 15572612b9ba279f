"""How rows of quantised weights lie in device memory: the file's bytes, in an order for wide loads.

Rows come in tiles of 32. Within a tile each field of the format's blocks is a plane of its own, and a field is cut into
chunks of what 32 weights take at once, at most 16 bytes. Chunk c of a row, counted over its blocks, lies at
plane + (c * 32 + row % 32) * chunk_bytes: 32 threads that have a row each load 32 neighbouring chunks. The header of
a row, where it has one, is the first plane. Plain floats lie as in the file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.core.formats.table import BY_NAME, Format

TILE_ROWS = 32
"""Rows of a tile: the threads of a warp."""


@dataclass(frozen=True)
class Field:
    """`n_bytes` of every block, in chunks of `chunk_bytes`."""

    n_bytes: int
    chunk_bytes: int


@dataclass(frozen=True)
class Plane:
    """Where a field of a row of the file begins, how often it comes, and where its plane begins in the tile."""

    first: int
    n_blocks: int
    block_bytes: int
    field: Field
    tile_offset: int


def _fields(*sizes: tuple[int, int]) -> tuple[Field, ...]:
    return tuple(Field(*size) for size in sizes)


_SCALE, _PAIR_OF_SCALES, _NIBBLES, _K_SCALES = (2, 2), (4, 4), (128, 16), (12, 4)
FIELDS: Mapping[str, tuple[Field, ...]] = {
    "Q4_0": _fields(_SCALE, (16, 16)),
    "Q4_1": _fields(_PAIR_OF_SCALES, (16, 16)),
    "Q5_0": _fields(_SCALE, (4, 4), (16, 16)),
    "Q5_1": _fields(_PAIR_OF_SCALES, (4, 4), (16, 16)),
    "Q8_0": _fields(_SCALE, (32, 16)),
    "MXFP4": _fields((1, 1), (16, 16)),
    "IQ4_NL": _fields(_SCALE, (16, 16)),
    "Q2_K": _fields((16, 2), (64, 16), _PAIR_OF_SCALES),
    "Q3_K": _fields((32, 16), (64, 16), _K_SCALES, _SCALE),
    "Q4_K": _fields(_PAIR_OF_SCALES, _K_SCALES, _NIBBLES),
    "Q5_K": _fields(_PAIR_OF_SCALES, _K_SCALES, (32, 16), _NIBBLES),
    "Q6_K": _fields(_NIBBLES, (64, 16), (16, 2), _SCALE),
    "IQ1_S": _fields(_SCALE, (32, 4), (16, 2)),
    "IQ1_M": _fields((32, 4), (16, 2), (8, 8)),
    "IQ2_XXS": _fields(_SCALE, (64, 8)),
    "IQ2_XS": _fields(_SCALE, (64, 8), (8, 1)),
    "IQ2_S": _fields(_SCALE, (32, 4), (32, 4), (8, 1), (8, 1)),
    "IQ3_XXS": _fields(_SCALE, (64, 8), (32, 4)),
    "IQ3_S": _fields(_SCALE, (64, 8), (8, 1), (32, 4), (4, 1)),
    "IQ4_XS": _fields(_SCALE, (2, 2), (4, 1), _NIBBLES),
    "IQ2_K": _fields(_SCALE, (2, 2), (8, 1), (64, 16)),
    "IQ2_KS": _fields((1, 1), (1, 1), (4, 1), (64, 16)),
    "IQ3_K": _fields(_SCALE, (2, 2), (2, 2), (8, 1), (64, 16), (32, 16)),
    "IQ4_K": _fields(_SCALE, (2, 2), (4, 1), (8, 1), _NIBBLES),
    "IQ4_KS": _fields((8, 1), _NIBBLES),
    "IQ4_KSS": _fields(_NIBBLES),
    "IQ5_K": _fields(_SCALE, (2, 2), (4, 1), (8, 1), _NIBBLES, (32, 16)),
}
"""Fields of a block in the file's order, as the format's file in kernels/formats names them by number."""


def definitions(name: str) -> tuple[str, ...]:
    """What kernels/formats/block.cuh must know of a format, as words for the preprocessor."""
    if name not in FIELDS:
        return ()
    fields, fmt = ",".join(f"{{{field.n_bytes},{field.chunk_bytes}}}" for field in FIELDS[name]), BY_NAME[name]
    return f"-DFIELDS={fields}", f"-DHEADER_BYTES={fmt.row_header_bytes}", f"-DBLOCK_COLUMNS={fmt.block}"


def planes(fmt: Format, n_columns: int) -> Iterator[Plane]:
    """The planes of a tile whose rows have `n_columns` weights; none for plain floats."""
    if fmt.name not in FIELDS:
        return
    header, n_blocks, before = fmt.row_header_bytes, n_columns // fmt.block, 0
    if header:
        yield Plane(0, 1, 0, Field(header, header), 0)
    for field in FIELDS[fmt.name]:
        offset = TILE_ROWS * (header + n_blocks * before)
        yield Plane(header + before, n_blocks, fmt.block_bytes, field, offset)
        before += field.n_bytes


def held_rows(format_name: str, n_rows: int) -> int:
    """Rows that memory is taken for: whole tiles, or as many as there are of plain floats."""
    return -(-n_rows // TILE_ROWS) * TILE_ROWS if format_name in FIELDS else n_rows
