"""The eight 6-bit scales and eight 6-bit minimums that Q4_K and Q5_K pack into 12 bytes.

Bytes 0-3 and 4-7 hold the first four scales and minimums in their low six bits; bytes 8-11 hold the low nibbles of
the last four (scale low, minimum high), whose two upper bits are the top bits of bytes 0-3 and 4-7.
"""

import numpy as np

from harness.core.formats.codec import Bytes, Floats


def scales_and_minimums(packed: Bytes) -> tuple[Floats, Floats]:
    """From 12 bytes [..., 12]: scales and minimums, whole numbers as float32 [..., 8]."""
    first, second, third = packed[..., 0:4], packed[..., 4:8], packed[..., 8:12]
    low_six, two_up = np.uint8(63), np.uint8(2)
    scales = np.concatenate([first & low_six, third & np.uint8(15) | (first >> two_up) & np.uint8(48)], axis=-1)
    minimums = np.concatenate([second & low_six, third >> np.uint8(4) | (second >> two_up) & np.uint8(48)], axis=-1)
    return scales.astype(np.float32), minimums.astype(np.float32)
