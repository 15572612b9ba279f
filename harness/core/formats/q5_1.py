"""Q5_1: 32 weights in 24 bytes: float16 d and m, 32 high bits, 16 bytes of nibbles (low ones first); w = d * q + m."""

import numpy as np

from harness.core.formats.bits import f16, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, Floats, NormalForm


def _decode(blocks: Blocks) -> NormalForm:
    low, high = unpack(blocks.body[..., 8:], 4, 16), unpack(blocks.body[..., 4:8], 1, 1)
    codes = (low | high << np.uint8(4)).view(np.int8)
    return NormalForm(codes, f16(blocks.body, 0), -f16(blocks.body, 2))


def _write_scale(blocks: Blocks, step: Floats) -> None:
    put_f16(blocks.body, 0, step)
    put_f16(blocks.body, 2, np.float32(-15.5) * step)


CODEC = BlockCodec(_decode, _write_scale)
