"""Q5_K: Q4_K with a fifth bit per weight: 256 weights in 176 bytes, the 32 bytes of high bits before the nibbles.

w = (d * scale) * q - (dmin * minimum).
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, Floats, NormalForm
from harness.core.formats.k_scales import scales_and_minimums


def _decode(blocks: Blocks) -> NormalForm:
    scales, minimums = scales_and_minimums(blocks.body[..., 4:16])
    low, high = unpack(blocks.body[..., 48:], 4, 32), unpack(blocks.body[..., 16:48], 1, 32)
    codes = (low | high << np.uint8(4)).view(np.int8)
    return NormalForm(codes, f16(blocks.body, 0) * scales, f16(blocks.body, 2) * minimums)


def _write_scale(blocks: Blocks, step: Floats) -> None:
    put_f16(blocks.body, 0, step)
    put_f16(blocks.body, 2, np.float32(15.5) * step)


CODEC = BlockCodec(_decode, _write_scale)
