"""Q4_1: 32 weights in 20 bytes: float16 d and m, then 16 bytes of nibbles (low ones first); w = d * q + m."""

import numpy as np

from harness.core.formats.bits import f16, pack_nibbles, put_f16, unpack
from harness.core.formats.codec import BlockCodec, Blocks, Bytes, Floats, NormalForm
from harness.core.formats.rounding import inverse


def _decode(blocks: Blocks) -> NormalForm:
    return NormalForm(unpack(blocks.body[..., 4:], 4, 16).view(np.int8), f16(blocks.body, 0), -f16(blocks.body, 2))


def _quantize(weights: Floats) -> Bytes:
    low, high = weights.min(axis=-1, keepdims=True), weights.max(axis=-1, keepdims=True)
    step = (high - low) / np.float32(15)
    codes = np.minimum(((weights - low) * inverse(step) + np.float32(0.5)).astype(np.uint8), 15)
    out = np.empty((*weights.shape[:-1], 20), np.uint8)
    put_f16(out, 0, step[..., 0])
    put_f16(out, 2, low[..., 0])
    out[..., 4:] = pack_nibbles(codes)
    return out


def _write_scale(blocks: Blocks, step: Floats) -> None:
    put_f16(blocks.body, 0, step)
    put_f16(blocks.body, 2, np.float32(-7.5) * step)


CODEC = BlockCodec(_decode, _write_scale, _quantize)
