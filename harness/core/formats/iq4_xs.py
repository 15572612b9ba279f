"""IQ4_XS: 256 weights in 136 bytes: float16 d, 2 + 4 bytes of 6-bit scales per 32, 128 bytes of nibbles into a table.

w = (d * (scale - 32)) * value.
"""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm
from harness.core.formats.value_tables import IQ4


def _decode(blocks: Blocks) -> NormalForm:
    body = blocks.body
    scales = unpack(body[..., 4:8], 4, 1) | unpack(body[..., 2:4], 2, 1) << np.uint8(4)
    codes = IQ4[0][unpack(body[..., 8:], 4, 16)]
    return NormalForm(codes, f16(body, 0) * (scales.astype(np.float32) - np.float32(32)), None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step))
