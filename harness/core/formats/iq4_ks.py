"""IQ4_KS (ik_llama.cpp): a row begins with float32 d; 256 weights in 136 bytes: 8 bytes of scale and table bit per 32,
then nibbles.

w = (d * (scale - 127)) * value; the lowest bit of the scale's byte selects the table and is not part of the scale.
"""

import numpy as np

from harness.core.formats.bits import put_f32, unpack, words
from harness.core.formats.codec import BlockCodec, Blocks, Floats, NormalForm
from harness.core.formats.value_tables import IQ4, look_up


def _decode(blocks: Blocks) -> NormalForm:
    packed = blocks.body[..., :8]
    scale = (packed & np.uint8(254)).astype(np.float32) - np.float32(127)
    codes = look_up(IQ4, packed & np.uint8(1), unpack(blocks.body[..., 8:], 4, 16))
    return NormalForm(codes, words(blocks.header, "<f4")[:, None] * scale, None)


def _write_scale(blocks: Blocks, step: Floats) -> None:
    put_f32(blocks.header, step[:, 0])


CODEC = BlockCodec(_decode, _write_scale)
