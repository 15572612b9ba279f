"""Metadata of one file: scalars as Python values, numeric arrays as NumPy arrays, string arrays decoded lazily.

Every count is proven against the bytes that are left before anything is made from it.
"""

from typing import Any

import numpy as np

from harness.core.gguf import limits
from harness.core.gguf.cursor import Cursor
from harness.core.gguf.strings import StringArray
from harness.core.gguf.text import MISWRITTEN, printable

ALIGNMENT_KEY = "general.alignment"
_BOOL, _STRING, _ARRAY, _U32 = 7, 8, 9, 4
_MIN_KEY_BYTES = 8 + 1 + 4 + 1

NUMERIC: dict[int, np.dtype[Any]] = {
    0: np.dtype("<u1"),
    1: np.dtype("<i1"),
    2: np.dtype("<u2"),
    3: np.dtype("<i2"),
    4: np.dtype("<u4"),
    5: np.dtype("<i4"),
    6: np.dtype("<f4"),
    7: np.dtype("<u1"),
    10: np.dtype("<u8"),
    11: np.dtype("<i8"),
    12: np.dtype("<f8"),
}


def read_metadata(cursor: Cursor, n_keys: int) -> dict[str, Any]:
    """`n_keys` key-value pairs at the cursor, in file order. Errors: GgufError."""
    cursor.count(n_keys, limits.MAX_KEYS, _MIN_KEY_BYTES, "metadata keys")
    metadata: dict[str, Any] = {}
    for index in range(n_keys):
        key = cursor.text(limits.MAX_KEY_BYTES, f"metadata key {index}")
        label = f"metadata key {printable(key)!r}"
        if not key:
            raise cursor.fail(f"metadata key {index} is empty", MISWRITTEN)
        if key in metadata:
            raise cursor.fail(f"{label} appears twice", MISWRITTEN)
        type_id = cursor.u32(f"the type of {label}")
        if key == ALIGNMENT_KEY and type_id != _U32:
            raise cursor.fail(f"{ALIGNMENT_KEY} has value type {type_id} instead of uint32", MISWRITTEN)
        metadata[key] = _value(cursor, type_id, label)
    return metadata


def _value(cursor: Cursor, type_id: int, label: str) -> Any:
    if type_id in NUMERIC:
        return _numbers(cursor, type_id, 1, label)[0].item()
    if type_id == _STRING:
        return cursor.text(limits.MAX_STRING_BYTES, f"the value of {label}")
    if type_id == _ARRAY:
        return _array(cursor, label)
    raise cursor.fail(f"{label} has value type {type_id}, which GGUF does not define", MISWRITTEN)


def _array(cursor: Cursor, label: str) -> Any:
    item_type = cursor.u32(f"the item type of {label}")
    if item_type == _ARRAY:
        raise cursor.fail(f"{label} is an array of arrays, which no model needs", MISWRITTEN)
    if item_type != _STRING and item_type not in NUMERIC:
        raise cursor.fail(f"{label} has items of type {item_type}, which GGUF does not define", MISWRITTEN)
    claimed = cursor.u64(f"the item count of {label}")
    item_bytes = 8 if item_type == _STRING else NUMERIC[item_type].itemsize
    n_items = cursor.count(claimed, limits.MAX_ARRAY_ITEMS, item_bytes, f"items of {label}")
    if item_type == _STRING:
        return StringArray(*cursor.text_spans(n_items, label))
    return _numbers(cursor, item_type, n_items, label)


def _numbers(cursor: Cursor, type_id: int, n_items: int, label: str) -> np.ndarray[Any, Any]:
    dtype = NUMERIC[type_id]
    numbers = np.frombuffer(cursor.take(n_items * dtype.itemsize, f"the value of {label}"), dtype)
    if type_id != _BOOL:
        return numbers
    if numbers.size and int(numbers.max()) > 1:
        raise cursor.fail(f"{label} is a boolean of value {int(numbers.max())}", MISWRITTEN)
    return numbers.view(np.bool_)


def alignment_of(cursor: Cursor, metadata: dict[str, Any]) -> int:
    """The alignment of tensor data in bytes: a power of two up to 64 KiB. Errors: GgufError."""
    alignment = int(metadata.get(ALIGNMENT_KEY, limits.DEFAULT_ALIGNMENT))
    if alignment < 1 or alignment & (alignment - 1) or alignment > limits.MAX_ALIGNMENT:
        allowed = f"not a power of two from 1 to {limits.MAX_ALIGNMENT}"
        raise cursor.fail(f"{ALIGNMENT_KEY} is {alignment}, {allowed}", MISWRITTEN)
    return alignment
