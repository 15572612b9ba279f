"""BF16: the upper half of a float32, little-endian; rounded to nearest even, NaN kept quiet."""

import numpy as np

from harness.core.formats.bits import words
from harness.core.formats.codec import Bytes, Floats, PlainCodec


def _to_float(rows: Bytes) -> Floats:
    wide: Floats = (words(rows, "<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
    return wide


def _from_float(weights: Floats) -> Bytes:
    bits = np.ascontiguousarray(weights, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    quiet = (bits >> np.uint32(16)) | np.uint32(64)
    return np.where(np.isnan(weights), quiet, rounded).astype("<u2").view(np.uint8)


CODEC = PlainCodec(_to_float, _from_float)
