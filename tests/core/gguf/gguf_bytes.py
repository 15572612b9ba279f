"""GGUF files put together by hand, field by field, so that each field can lie. Shares no code with the writer."""

import struct

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
Q8_0, F32_TENSOR, Q4_K, IQ4_KS = 8, 0, 12, 144
ALIGNMENT = "general.alignment"


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def text(value: str | bytes, claimed: int | None = None) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return u64(len(raw) if claimed is None else claimed) + raw


def pair(key: str | bytes, value_type: int, value: bytes) -> bytes:
    return text(key) + u32(value_type) + value


def array(key: str, item_type: int, items: bytes, claimed: int) -> bytes:
    return pair(key, ARRAY, u32(item_type) + u64(claimed) + items)


def tensor(name: str | bytes, shape: tuple[int, ...], type_id: int = F32_TENSOR, offset: int = 0) -> bytes:
    """`shape` in the file's own order, fastest axis first."""
    extents = b"".join(u64(extent) for extent in shape)
    return text(name) + u32(len(shape)) + extents + u32(type_id) + u64(offset)


def gguf(
    pairs: list[bytes] | None = None,
    tensors: list[bytes] | None = None,
    data: bytes = b"",
    *,
    alignment: int = 32,
    version: int = 3,
    magic: bytes = b"GGUF",
    n_tensors: int | None = None,
    n_keys: int | None = None,
) -> bytes:
    pairs, tensors = pairs or [], tensors or []
    counts = u64(len(tensors) if n_tensors is None else n_tensors) + u64(len(pairs) if n_keys is None else n_keys)
    head = magic + u32(version) + counts + b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + data
