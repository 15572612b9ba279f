"""The tensor table of one file. Every extent is proven to lie in the file, and to overlap no other."""

from dataclasses import dataclass
from itertools import pairwise
from math import prod

from harness.core.formats.table import BY_ID, Format
from harness.core.gguf import limits
from harness.core.gguf.cursor import Cursor
from harness.core.gguf.ggml_types import HIGHEST_TYPE_ID, type_name
from harness.core.gguf.text import BEYOND, MISWRITTEN, printable

_MIN_ENTRY_BYTES = 8 + 1 + 4 + 8 + 4 + 8


@dataclass(frozen=True)
class TensorInfo:
    """Where one tensor lies. `shape` is in NumPy order, last axis contiguous; `offset` is absolute in file `shard`."""

    name: str
    format: Format
    shape: tuple[int, ...]
    shard: int
    offset: int
    n_bytes: int

    @property
    def n_columns(self) -> int:
        return self.shape[-1]

    @property
    def n_rows(self) -> int:
        """Rows over all leading axes; 1 for a vector."""
        return prod(self.shape[:-1])

    @property
    def row_bytes(self) -> int:
        return self.format.row_bytes(self.n_columns)


@dataclass(frozen=True)
class TensorTable:
    """What can be computed with, and for the rest the name of its format."""

    tensors: dict[str, TensorInfo]
    unsupported: dict[str, str]


@dataclass(frozen=True)
class _Entry:
    """One line of the table as the file has it; `offset` counts from the start of the data."""

    name: str
    type_id: int
    shape: tuple[int, ...]
    offset: int


def read_tensors(cursor: Cursor, n_tensors: int, alignment: int, shard: int) -> TensorTable:
    """The table at the cursor, in file order. Errors: GgufError."""
    cursor.count(n_tensors, limits.MAX_TENSORS, _MIN_ENTRY_BYTES, "tensors")
    entries: dict[str, _Entry] = {}
    for index in range(n_tensors):
        entry = _read_entry(cursor, index)
        if entry.name in entries:
            raise cursor.fail(f"tensor {printable(entry.name)!r} appears twice", MISWRITTEN)
        entries[entry.name] = entry
    data_start = -(-cursor.position // alignment) * alignment
    known = {name: entry for name, entry in entries.items() if entry.type_id in BY_ID}
    tensors = {name: _locate(cursor, entry, alignment, data_start, shard) for name, entry in known.items()}
    _refuse_overlaps(cursor, tensors)
    unsupported = {name: type_name(entry.type_id) for name, entry in entries.items() if name not in known}
    return TensorTable(tensors, unsupported)


def _read_entry(cursor: Cursor, index: int) -> _Entry:
    name = cursor.text(limits.MAX_NAME_BYTES, f"the name of tensor {index}")
    label = f"tensor {printable(name)!r}"
    if not name:
        raise cursor.fail(f"tensor {index} has no name", MISWRITTEN)
    n_dimensions = cursor.u32(f"the dimension count of {label}")
    if not 1 <= n_dimensions <= limits.MAX_DIMENSIONS:
        raise cursor.fail(f"{label} has {n_dimensions} dimensions, not 1 to {limits.MAX_DIMENSIONS}")
    extents = tuple(cursor.u64(f"the shape of {label}") for _ in range(n_dimensions))
    for extent in extents:
        if not 1 <= extent <= limits.MAX_EXTENT:
            raise cursor.fail(f"{label} has a dimension of {extent}, not 1 to {limits.MAX_EXTENT}", BEYOND)
    type_id = cursor.u32(f"the type of {label}")
    if type_id > HIGHEST_TYPE_ID:
        raise cursor.fail(f"{label} has type {type_id}, beyond all that ggml and ik_llama.cpp define")
    return _Entry(name, type_id, extents[::-1], cursor.u64(f"the offset of {label}"))


def _locate(cursor: Cursor, entry: _Entry, alignment: int, data_start: int, shard: int) -> TensorInfo:
    fmt, label = BY_ID[entry.type_id], f"tensor {printable(entry.name)!r}"
    if entry.shape[-1] % fmt.block:
        raise cursor.fail(f"{label} has rows of {entry.shape[-1]}, not a multiple of {fmt.name}'s block of {fmt.block}")
    n_bytes = prod(entry.shape[:-1]) * fmt.row_bytes(entry.shape[-1])
    if entry.offset % alignment:
        raise cursor.fail(f"{label} has offset {entry.offset}, not a multiple of the alignment {alignment}")
    end = data_start + entry.offset + n_bytes
    if end > cursor.shard.size_bytes:
        raise cursor.fail(f"{label} ends at byte {end}, but the file has {cursor.shard.size_bytes}")
    return TensorInfo(entry.name, fmt, entry.shape, shard, data_start + entry.offset, n_bytes)


def _refuse_overlaps(cursor: Cursor, tensors: dict[str, TensorInfo]) -> None:
    for lower, upper in pairwise(sorted(tensors.values(), key=lambda tensor: tensor.offset)):
        if lower.offset + lower.n_bytes > upper.offset:
            raise cursor.fail(f"tensors {printable(lower.name)!r} and {printable(upper.name)!r} overlap", MISWRITTEN)
