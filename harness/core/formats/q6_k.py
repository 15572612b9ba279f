"""Q6_K: 256 weights in 210 bytes: 128 bytes of low nibbles, 64 of 2-bit high parts, 16 int8 scales, float16 d.

w = (d * scale) * (q - 32), a scale per 16.
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm


def _decode(blocks: Blocks) -> NormalForm:
    low, high = unpack(blocks.body[..., :128], 4, 64), unpack(blocks.body[..., 128:192], 2, 32)
    codes = (low | high << np.uint8(4)).view(np.int8) - np.int8(32)
    scales = blocks.body[..., 192:208].view(np.int8).astype(np.float32)
    return NormalForm(codes, f16(blocks.body, 208) * scales, None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 208, step))
