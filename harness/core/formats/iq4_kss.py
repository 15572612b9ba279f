"""IQ4_KSS (ik_llama.cpp): a row begins with float32 d; 256 weights in 128 bytes, nibbles in which scales hide.

Per 32 weights, the lowest bits of eight 16-bit words make the byte that IQ4_KS keeps apart; the other bits, XORed with
themselves shifted right by one, are the nibbles. w = (d * (scale - 127)) * value.
"""

import numpy as np

from harness.core.formats.bits import put_f32, unpack, words
from harness.core.formats.codec import BlockCodec, Blocks, Floats, NormalForm
from harness.core.formats.value_tables import IQ4, look_up


def _decode(blocks: Blocks) -> NormalForm:
    lead = blocks.body.shape[:-1]
    word = words(blocks.body, "<u2")
    packed = np.packbits((word & np.uint16(1)).astype(np.uint8), axis=-1, bitorder="little")
    scale = (packed & np.uint8(254)).astype(np.float32) - np.float32(127)
    even = word & np.uint16(0xFFFE)
    nibbles = (even ^ even >> np.uint16(1)).astype("<u2").view(np.uint8).reshape(*lead, 128)
    codes = look_up(IQ4, packed & np.uint8(1), unpack(nibbles, 4, 16))
    return NormalForm(codes, words(blocks.header, "<f4")[:, None] * scale, None)


def _write_scale(blocks: Blocks, step: Floats) -> None:
    put_f32(blocks.header, step[:, 0])


CODEC = BlockCodec(_decode, _write_scale)
