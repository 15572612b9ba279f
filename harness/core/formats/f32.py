"""F32: IEEE single precision, little-endian."""

import numpy as np

from harness.core.formats.bits import words
from harness.core.formats.codec import PlainCodec

CODEC = PlainCodec(
    to_float=lambda rows: words(rows, "<f4"),
    from_float=lambda weights: np.ascontiguousarray(weights, "<f4").view(np.uint8),
)
