"""IQ2_KS (ik_llama.cpp): a row begins with float16 d; 256 weights in 70 bytes: 8 table bits, 8 high bits of scales,
4 bytes of low nibbles of scales per 32, 2-bit codes.

w = (d * (scale - 16)) * value, value from one of two tables.
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, Floats, NormalForm
from harness.core.formats.value_tables import IQ2, look_up


def _decode(blocks: Blocks) -> NormalForm:
    body = blocks.body
    scale = unpack(body[..., 2:6], 4, 1) | unpack(body[..., 1:2], 1, 1) << np.uint8(4)
    codes = look_up(IQ2, unpack(body[..., 0:1], 1, 1), unpack(body[..., 6:], 2, 32))
    return NormalForm(codes, f16(blocks.header, 0)[:, None] * (scale.astype(np.float32) - np.float32(16)), None)


def _write_scale(blocks: Blocks, step: Floats) -> None:
    put_f16(blocks.header, 0, step[:, 0])


CODEC = BlockCodec(_decode, _write_scale)
