"""IQ3_S: 256 weights in 110 bytes: float16 d, 64 codebook indices, 8 bytes of high bits, 32 of signs, 4 of scales.

w = (d * (1 + 2 * scale)) * (±codebook value), an index per 4 weights and a scale per 32.
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm
from harness.core.formats.grids import grid
from harness.core.formats.signed_grid import plain_signs


def _decode(blocks: Blocks) -> NormalForm:
    body = blocks.body
    index = body[..., 2:66] | unpack(body[..., 66:74], 1, 1).astype(np.uint16) << np.uint16(8)
    magnitude = grid("iq3_s")[index].reshape(*body.shape[:-1], 256)
    scales = 1 + 2 * unpack(body[..., 106:110], 4, 1)
    return NormalForm(magnitude * plain_signs(body[..., 74:106]), f16(body, 0) * scales.astype(np.float32), None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step))
