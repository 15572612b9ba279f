"""F16: IEEE half precision, little-endian; rounded to nearest even."""

import numpy as np

from harness.core.formats.bits import words
from harness.core.formats.codec import PlainCodec

CODEC = PlainCodec(
    to_float=lambda rows: words(rows, "<f2").astype(np.float32),
    from_float=lambda weights: weights.astype("<f2").view(np.uint8),
)
