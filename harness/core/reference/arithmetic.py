"""The arithmetic of docs/numerics.md in NumPy: fused multiply-add, sums in eight parts, activation quantisation.

A fused multiply-add is emulated in float64: the product of two float32 is exact there, and the sum is rounded to
float64 and then to float32. That double rounding differs from a true one in about one case of 2^29.
"""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
BLOCK = 32
LANES = 8


def fma(a: F32, b: F32, c: F32) -> F32:
    """The sum a * b + c, rounded once (see above)."""
    return (a.astype(np.float64) * b + c).astype(np.float32)


def in_lanes(x: F32) -> F32:
    """[..., K] as [ceil(K/8), ..., 8]: step i holds k = 8i … 8i+7; missing ones are 0."""
    missing = -x.shape[-1] % LANES
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)]) if missing else x
    return np.moveaxis(padded.reshape(*x.shape[:-1], -1, LANES), -2, 0)


def sum_of_lanes(s: F32) -> F32:
    """Eight partial sums [..., 8] into one, in the fixed order."""
    s0, s1, s2, s3, s4, s5, s6, s7 = np.moveaxis(s, -1, 0)
    total: F32 = ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
    return total


def sum_of_squares(x: F32) -> F32:
    """[..., K] -> [...]."""
    s = np.zeros((*x.shape[:-1], LANES), np.float32)
    for step in in_lanes(x):
        s = fma(step, step, s)
    return sum_of_lanes(s)


def sum_last(x: F32) -> F32:
    """[..., K] -> [...], in eight parts as a product with ones would be."""
    s = np.zeros((*x.shape[:-1], LANES), np.float32)
    for step in in_lanes(x):
        s = s + step
    return sum_of_lanes(s)


def rms_normed(x: F32, weight: F32, eps: np.float32) -> F32:
    """RMS norm over the last axis: x / sqrt(mean of squares + eps) * weight."""
    mean = sum_of_squares(x) / np.float32(x.shape[-1])
    factor = np.float32(1) / np.sqrt(mean + eps)
    y: F32 = (x * factor[..., None]) * weight
    return y


def quantized_activations(x: F32) -> tuple[F32, F32]:
    """float32 [T, K] as whole numbers -127 … 127 (kept as float32) [K/32, T, 32] and scales [K/32, T]."""
    blocks = np.moveaxis(x.reshape(len(x), -1, BLOCK), 1, 0)
    largest = np.abs(blocks).max(axis=-1)
    with np.errstate(divide="ignore"):
        inverse = np.where(largest > 0, np.float32(127) / largest, np.float32(0))
    return np.rint(blocks * inverse[..., None]), largest / np.float32(127)
