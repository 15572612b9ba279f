"""IQ4_K (ik_llama.cpp): 256 weights in 144 bytes: float16 d, 16 table bits, 4 + 8 bytes of 6-bit scales, nibbles.

w = (d * (scale - 32)) * value, value from one of two tables.
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm
from harness.core.formats.ik_values import IQ4_SHIFTED


def _decode(blocks: Blocks) -> NormalForm:
    body = blocks.body
    table = unpack(body[..., 2:4], 1, 1)
    high, low = unpack(body[..., 4:8], 2, 1), unpack(body[..., 8:16], 4, 1)
    scale = (low | high << np.uint8(4)).view(np.int8) - np.int8(32)
    index = unpack(body[..., 16:], 4, 16).reshape(*body.shape[:-1], 16, 16)
    codes = IQ4_SHIFTED[table[..., None], index].reshape(*body.shape[:-1], 256)
    return NormalForm(codes, f16(body, 0) * scale.astype(np.float32), None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step))
