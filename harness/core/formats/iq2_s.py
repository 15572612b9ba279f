"""IQ2_S: 256 weights in 82 bytes: float16 d, 32 low bytes of codebook indices, 32 of signs, 8 high ones, 8 of scales.

w = (d * (0.5 + scale) / 4) * (±codebook value), a scale per 16.
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm
from harness.core.formats.grids import grid
from harness.core.formats.signed_grid import plain_signs


def _decode(blocks: Blocks) -> NormalForm:
    body = blocks.body
    index = body[..., 2:34] | unpack(body[..., 66:74], 2, 1).astype(np.uint16) << np.uint16(8)
    magnitude = grid("iq2_s")[index].reshape(*body.shape[:-1], 256)
    scales = unpack(body[..., 74:82], 4, 1).astype(np.float32)
    scale = f16(body, 0) * (np.float32(0.5) + scales) * np.float32(0.25)
    return NormalForm(magnitude * plain_signs(body[..., 34:66]), scale, None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step))
