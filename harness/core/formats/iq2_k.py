"""IQ2_K (ik_llama.cpp): 256 weights in 76 bytes: float16 d, 16 table bits, 8 bytes of scales per 16, 2-bit codes.

w = (d * (scale - 8)) * value, value from one of two tables.
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm
from harness.core.formats.value_tables import IQ2, look_up


def _decode(blocks: Blocks) -> NormalForm:
    body = blocks.body
    scale = unpack(body[..., 4:12], 4, 1).astype(np.float32) - np.float32(8)
    codes = look_up(IQ2, unpack(body[..., 2:4], 1, 1), unpack(body[..., 12:], 2, 32))
    return NormalForm(codes, f16(body, 0) * scale, None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step))
