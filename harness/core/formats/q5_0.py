"""Q5_0: 32 weights in 22 bytes: float16 d, 32 high bits, 16 bytes of nibbles (low ones first); w = d * (q - 16)."""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, NormalForm


def _decode(blocks: Blocks) -> NormalForm:
    low, high = unpack(blocks.body[..., 6:], 4, 16), unpack(blocks.body[..., 2:6], 1, 1)
    codes = (low | high << np.uint8(4)).view(np.int8) - np.int8(16)
    return NormalForm(codes, f16(blocks.body, 0), None)


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step))
