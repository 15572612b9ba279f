"""IQ5_K (ik_llama.cpp): 256 weights in 176 bytes: float16 d, 16 table bits, 4 + 8 bytes of 6-bit scales per 16,
128 bytes of nibbles, 32 of high bits.

w = (d * (scale - 32)) * value, value from one of two tables.
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm
from harness.core.formats.value_tables import IQ5, look_up


def _decode(blocks: Blocks) -> NormalForm:
    body = blocks.body
    scale = unpack(body[..., 8:16], 4, 1) | unpack(body[..., 4:8], 2, 1) << np.uint8(4)
    index = unpack(body[..., 16:144], 4, 32) | unpack(body[..., 144:], 1, 32) << np.uint8(4)
    codes = look_up(IQ5, unpack(body[..., 2:4], 1, 1), index)
    return NormalForm(codes, f16(body, 0) * (scale.astype(np.float32) - np.float32(32)), None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step))
