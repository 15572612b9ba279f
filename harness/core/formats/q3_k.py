"""Q3_K: 256 weights in 110 bytes: 32 bytes of high bits, 64 of 2-bit codes, 12 of 6-bit scales per 16, float16 d.

w = (d * (scale - 32)) * (q - 4); a set high bit adds 4. Of the 12 bytes, the first 8 hold the low nibbles of scales
0-7 and 8-15, the last 4 the upper two bits of scales 0-3, 4-7, 8-11, 12-15.
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm


def _decode(blocks: Blocks) -> NormalForm:
    body = blocks.body
    low, high = unpack(body[..., 32:96], 2, 32), unpack(body[..., :32], 1, 32)
    codes = (low | high << np.uint8(2)).view(np.int8) - np.int8(4)
    scales = unpack(body[..., 96:104], 4, 8) | unpack(body[..., 104:108], 2, 4) << np.uint8(4)
    return NormalForm(codes, f16(body, 108) * (scales.astype(np.float32) - np.float32(32)), None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 108, step))
