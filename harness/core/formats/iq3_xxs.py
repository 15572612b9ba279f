"""IQ3_XXS: 256 weights in 98 bytes: float16 d, 64 codebook indices of 4 weights each, 8 words of signs and scale.

w = (d * (0.5 + scale) / 2) * (±codebook value).
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm
from harness.core.formats.grids import grid
from harness.core.formats.signed_grid import indexed_signs, scale_and_sign_words


def _decode(blocks: Blocks) -> NormalForm:
    scales, sign_index = scale_and_sign_words(blocks.body[..., 66:98])
    magnitude = grid("iq3_xxs")[blocks.body[..., 2:66]].reshape(*blocks.body.shape[:-1], 256)
    scale = f16(blocks.body, 0) * (np.float32(0.5) + scales.astype(np.float32)) * np.float32(0.5)
    return NormalForm(magnitude * indexed_signs(sign_index), scale, None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step))
