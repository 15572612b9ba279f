"""Q4_K: 256 weights in 144 bytes: float16 d, dmin, 12 bytes of 6-bit scales and minimums per 32, 128 bytes of nibbles.

w = (d * scale) * q - (dmin * minimum).
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, Floats, NormalForm
from harness.core.formats.k_scales import scales_and_minimums


def _decode(blocks: Blocks) -> NormalForm:
    scales, minimums = scales_and_minimums(blocks.body[..., 4:16])
    codes = unpack(blocks.body[..., 16:], 4, 32).view(np.int8)
    return NormalForm(codes, f16(blocks.body, 0) * scales, f16(blocks.body, 2) * minimums)


def _write_scale(blocks: Blocks, step: Floats) -> None:
    put_f16(blocks.body, 0, step)
    put_f16(blocks.body, 2, np.float32(7.5) * step)


CODEC = BlockCodec(_decode, _write_scale)
