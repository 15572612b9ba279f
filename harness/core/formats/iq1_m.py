"""IQ1_M: 256 weights in 56 bytes: 32 low bytes of codebook indices, 16 of high bits and shifts, 4 words of scales.

w = (d * (2 * scale + 1)) * (value ± 1/8), a scale per 16 and a shift per 8; codes are eight times the bracket. A word
holds four scales of 3 bits and, in its top nibble, a quarter of float16 d, lowest first.
"""

import numpy as np

from harness.core.formats.bits import unpack, words
from harness.core.formats.codec import BlockCodec, Blocks, Floats, NormalForm
from harness.core.formats.grids import grid

_FIELD = np.array([0, 3, 6, 9], np.uint16)
_QUARTER = np.array([0, 4, 8, 12], np.uint16)


def _decode(blocks: Blocks) -> NormalForm:
    lead = blocks.body.shape[:-1]
    nibble = unpack(blocks.body[..., 32:48], 4, 1)
    index = blocks.body[..., :32] | (nibble & np.uint8(7)).astype(np.uint16) << np.uint16(8)
    shift = np.where(nibble & np.uint8(8), np.int8(-1), np.int8(1))
    word = words(blocks.body[..., 48:56], "<u2")
    quarters = (word >> np.uint16(12)) << _QUARTER
    step = np.bitwise_or.reduce(quarters, axis=-1, keepdims=True).astype("<u2").view("<f2").astype(np.float32)
    scales = (word[..., None] >> _FIELD & np.uint16(7)).reshape(*lead, 16)
    scale = step * (2 * scales + 1).astype(np.float32) * np.float32(0.125)
    return NormalForm(np.int8(8) * grid("iq1")[index] + shift[..., None], scale, None)


def _write_scale(blocks: Blocks, step: Floats) -> None:
    quarters = (step.astype("<f2").view("<u2")[..., None] >> _QUARTER & np.uint16(15)) << np.uint16(12)
    word = words(blocks.body[..., 48:56], "<u2") & np.uint16(0x0FFF) | quarters
    blocks.body[..., 48:56] = word.astype("<u2").view(np.uint8)


CODEC = BlockCodec(_decode, _write_scale)
