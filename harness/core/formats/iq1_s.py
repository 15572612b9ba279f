"""IQ1_S: 256 weights in 50 bytes: float16 d, 32 low bytes of codebook indices, 8 words of high bits, scale and shift.

w = (d * (2 * scale + 1)) * (value ± 1/8), value in -1, 0, 1; codes are eight times the bracket.
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, words
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm
from harness.core.formats.grids import grid

_HIGH = np.array([0, 3, 6, 9], np.uint16)


def _decode(blocks: Blocks) -> NormalForm:
    lead = blocks.body.shape[:-1]
    word = words(blocks.body[..., 34:50], "<u2")
    high = (word[..., None] >> _HIGH & np.uint16(7)).reshape(*lead, 32)
    value = grid("iq1")[blocks.body[..., 2:34] | high << np.uint16(8)].reshape(*lead, 8, 32)
    shift = np.where(word & np.uint16(0x8000), np.int8(-1), np.int8(1))
    scale = f16(blocks.body, 0) * (2 * (word >> np.uint16(12) & np.uint16(7)) + 1).astype(np.float32)
    return NormalForm(np.int8(8) * value + shift[..., None], scale * np.float32(0.125), None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step))
