"""IQ2_XS: 256 weights in 74 bytes: float16 d, 32 words of codebook index (9 bits) and signs (7), 8 bytes of scales.

w = (d * (0.5 + scale) / 4) * (±codebook value), a scale per 16.
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack, words
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm
from harness.core.formats.grids import grid
from harness.core.formats.signed_grid import indexed_signs


def _decode(blocks: Blocks) -> NormalForm:
    word = words(blocks.body[..., 2:66], "<u2")
    magnitude = grid("iq2_xs")[word & np.uint16(511)].reshape(*blocks.body.shape[:-1], 256)
    scales = unpack(blocks.body[..., 66:74], 4, 1).astype(np.float32)
    scale = f16(blocks.body, 0) * (np.float32(0.5) + scales) * np.float32(0.25)
    return NormalForm(magnitude * indexed_signs(word >> np.uint16(9)), scale, None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step))
