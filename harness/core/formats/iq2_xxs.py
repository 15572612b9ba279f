"""IQ2_XXS: 256 weights in 66 bytes: float16 d, then per 32 weights 4 codebook indices and a word of signs and scale.

w = (d * (0.5 + scale) / 4) * (±codebook value).
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm
from harness.core.formats.grids import grid
from harness.core.formats.signed_grid import indexed_signs, scale_and_sign_words


def _decode(blocks: Blocks) -> NormalForm:
    lead = blocks.body.shape[:-1]
    pairs = blocks.body[..., 2:].reshape(*lead, 8, 8)
    scales, sign_index = scale_and_sign_words(pairs[..., 4:].reshape(*lead, 32))
    magnitude = grid("iq2_xxs")[pairs[..., :4]].reshape(*lead, 256)
    scale = f16(blocks.body, 0) * (np.float32(0.5) + scales.astype(np.float32)) * np.float32(0.25)
    return NormalForm(magnitude * indexed_signs(sign_index), scale, None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step))
