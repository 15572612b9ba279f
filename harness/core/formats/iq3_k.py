"""IQ3_K (ik_llama.cpp): 256 weights in 110 bytes: float16 d, 16 table bits, 16 scale signs, 8 bytes of scales per 16,
64 bytes of 2-bit codes, 32 of high bits.

w = (d * ±(2 * scale + 1)) * value, value from one of two tables.
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm
from harness.core.formats.signed_grid import plain_signs
from harness.core.formats.value_tables import IQ3, look_up


def _decode(blocks: Blocks) -> NormalForm:
    body = blocks.body
    scale = (2 * unpack(body[..., 6:14], 4, 1) + 1).view(np.int8) * plain_signs(body[..., 4:6])
    index = unpack(body[..., 14:78], 2, 32) | unpack(body[..., 78:], 1, 32) << np.uint8(2)
    codes = look_up(IQ3, unpack(body[..., 2:4], 1, 1), index)
    return NormalForm(codes, f16(body, 0) * scale.astype(np.float32), None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step))
