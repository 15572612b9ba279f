"""One file's header: magic, version, metadata, tensors. What it returns has been checked against the file's size."""

from dataclasses import dataclass
from typing import Any

from harness.core.gguf.cursor import Cursor
from harness.core.gguf.metadata import alignment_of, read_metadata
from harness.core.gguf.shard import Shard
from harness.core.gguf.tensor import TensorTable, read_tensors
from harness.core.gguf.text import MISWRITTEN

MAGIC = b"GGUF"
VERSIONS = (2, 3)


@dataclass(frozen=True)
class Header:
    metadata: dict[str, Any]
    table: TensorTable


def read_header(shard: Shard, index: int) -> Header:
    """The header of `shard`, file `index` of its model. Errors: GgufError, UnsupportedError."""
    cursor = Cursor(shard)
    _check_magic(cursor)
    n_tensors = cursor.u64("the number of tensors")
    n_keys = cursor.u64("the number of metadata keys")
    metadata = read_metadata(cursor, n_keys)
    return Header(metadata, read_tensors(cursor, n_tensors, alignment_of(cursor, metadata), index))


def _check_magic(cursor: Cursor) -> None:
    magic = cursor.take(4, "the magic number")
    if magic != MAGIC:
        raise cursor.fail(f"begins with {magic!r}, not with GGUF", "It is not a GGUF file; check the path.")
    version = cursor.u32("the version")
    if version in (int.from_bytes(v.to_bytes(4, "little"), "big") for v in VERSIONS):
        raise cursor.fail("is a big-endian GGUF file", "Convert it to little-endian first.")
    if version not in VERSIONS:
        raise cursor.fail(f"has GGUF version {version}; versions 2 and 3 can be read", MISWRITTEN)
