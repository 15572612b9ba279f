"""Fields of packed blocks; every function keeps the leading axes and works on the last."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.formats.codec import Bytes, Floats


def f16(blocks: Bytes, at: int) -> Floats:
    """The float16 at byte `at`, as float32 [..., 1]."""
    return np.ascontiguousarray(blocks[..., at : at + 2]).view("<f2").astype(np.float32)


def put_f16(blocks: Bytes, at: int, values: Floats) -> None:
    """Write `values` [...] as float16 at byte `at`."""
    blocks[..., at : at + 2] = values.astype("<f2")[..., None].view(np.uint8)


def words(packed: Bytes, dtype: str) -> NDArray[Any]:
    """The bytes as little-endian numbers, e.g. "<u2"."""
    return np.ascontiguousarray(packed).view(dtype)


def unpack(packed: Bytes, bits: int, chunk: int) -> Bytes:
    """Codes of `bits` bits: each run of `chunk` bytes holds its lowest bits' codes first, then the next bits'."""
    parts = packed.reshape(*packed.shape[:-1], -1, 1, chunk) >> np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    return (parts & np.uint8((1 << bits) - 1)).reshape(*packed.shape[:-1], -1)


def pack_nibbles(codes: Bytes) -> Bytes:
    """The inverse of `unpack(…, 4, 16)` for blocks of 32."""
    low, high = codes[..., :16], codes[..., 16:]
    return low | high << np.uint8(4)


def put_f32(header: Bytes, values: Floats) -> None:
    """Write `values` [...] as the float32 a row begins with."""
    header[...] = values.astype("<f4")[..., None].view(np.uint8)
