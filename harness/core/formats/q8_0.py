"""Q8_0: 32 weights in 34 bytes: float16 d, then 32 int8; w = d * q."""

import numpy as np

from harness.core.formats.bits import f16, put_f16
from harness.core.formats.codec import BlockCodec, Blocks, Bytes, Floats, NormalForm
from harness.core.formats.rounding import inverse, round_away


def _decode(blocks: Blocks) -> NormalForm:
    return NormalForm(blocks.body[..., 2:].view(np.int8), f16(blocks.body, 0), None)


def _quantize(weights: Floats) -> Bytes:
    step = np.abs(weights).max(axis=-1, keepdims=True) / np.float32(127)
    out = np.empty((*weights.shape[:-1], 34), np.uint8)
    put_f16(out, 0, step[..., 0])
    out[..., 2:] = round_away(weights * inverse(step)).astype(np.int8).view(np.uint8)
    return out


CODEC = BlockCodec(_decode, lambda blocks, step: put_f16(blocks.body, 0, step), _quantize)
