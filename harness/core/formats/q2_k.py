"""Q2_K: 256 weights in 84 bytes: 16 nibble pairs (scale, minimum), 64 bytes of 2-bit codes, float16 d, dmin.

w = (d * scale) * q - (dmin * minimum).
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, Floats, NormalForm


def _decode(blocks: Blocks) -> NormalForm:
    packed = blocks.body[..., :16]
    scale = f16(blocks.body, 80) * (packed & np.uint8(15)).astype(np.float32)
    minimum = f16(blocks.body, 82) * (packed >> np.uint8(4)).astype(np.float32)
    return NormalForm(unpack(blocks.body[..., 16:80], 2, 32).view(np.int8), scale, minimum)


def _write_scale(blocks: Blocks, step: Floats) -> None:
    put_f16(blocks.body, 80, step)
    put_f16(blocks.body, 82, np.float32(1.5) * step)


CODEC = BlockCodec(_decode, _write_scale)
