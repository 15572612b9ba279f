"""MXFP4 (OCP microscaling): 32 weights in 17 bytes: an exponent e, then 16 bytes of 4-bit floats (low nibbles first).

Codes are the floats doubled, so w = 2^(e - 128) * code.
"""

import numpy as np

from harness.core.formats.bits import pack_nibbles, unpack
from harness.core.formats.codec import BlockCodec, Blocks, Bytes, Floats, NormalForm

_VALUES = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.int8)


def half_exponent(exponent: Bytes) -> Floats:
    """2^(e - 128) as float32, denormal for e below 2."""
    wide = exponent.astype(np.uint32)
    denormal = np.uint32(0x00200000) << np.minimum(wide, 1)
    return np.where(wide < 2, denormal, (wide - np.uint32(1)) << np.uint32(23)).astype(np.uint32).view(np.float32)


def _decode(blocks: Blocks) -> NormalForm:
    codes = _VALUES[unpack(blocks.body[..., 1:], 4, 16)]
    return NormalForm(codes, half_exponent(blocks.body[..., :1]), None)


def _quantize(weights: Floats) -> Bytes:
    """To the nearest value; the one with the lower index on a tie."""
    largest = np.abs(weights).max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        exponent = np.where(largest > 0, np.floor(np.log2(largest)) - 2 + 127, 0).astype(np.uint8)
    candidates = half_exponent(exponent)[..., None] * _VALUES.astype(np.float32)
    codes = np.abs(candidates - weights[..., None]).argmin(axis=-1).astype(np.uint8)
    return np.concatenate([exponent, pack_nibbles(codes)], axis=-1)


def _write_scale(blocks: Blocks, step: Floats) -> None:
    blocks.body[..., 0] = np.clip(np.round(np.log2(step)) + 128, 2, 254).astype(np.uint8)


CODEC = BlockCodec(_decode, _write_scale, _quantize)
