"""Q4_0: 32 weights in 18 bytes: float16 d, then 16 bytes of nibbles (low ones first); w = d * (q - 8)."""

import numpy as np

from harness.core.formats.bits import f16, pack_nibbles, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, Bytes, Floats, NormalForm
from harness.core.formats.rounding import inverse, signed_maximum


def _decode(blocks: Blocks) -> NormalForm:
    codes = unpack(blocks.body[..., 2:], 4, 16).view(np.int8) - np.int8(8)
    return NormalForm(codes, f16(blocks.body, 0), None)


def _quantize(weights: Floats) -> Bytes:
    step = signed_maximum(weights) / np.float32(-8)
    codes = np.minimum((weights * inverse(step) + np.float32(8.5)).astype(np.uint8), 15)
    out = np.empty((*weights.shape[:-1], 18), np.uint8)
    put_f16(out, 0, step[..., 0])
    out[..., 2:] = pack_nibbles(codes)
    return out


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step), _quantize)
