"""The arithmetic of docs/numerics.md in NumPy: fused multiply-add, sums in eight parts, activation quantisation.

A fused multiply-add is emulated in float64: the product of two float32 is exact there, and the sum is rounded to
float64 and then to float32. That double rounding differs from a true one in about one case of 2^29.
"""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
BLOCK = 32
LANES = 8


def fma(a: F32, b: F32 | np.float32, c: F32 | np.float32) -> F32:
    """The sum a * b + c, rounded once (see above)."""
    return (a.astype(np.float64) * b + c).astype(np.float32)


def in_lanes(x: F32, n_lanes: int = LANES) -> F32:
    """[..., K] as [ceil(K/8), ..., 8]: step i holds k = 8i … 8i+7; missing ones are 0. Likewise for other `n_lanes`."""
    missing = -x.shape[-1] % n_lanes
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)]) if missing else x
    return np.moveaxis(padded.reshape(*x.shape[:-1], -1, n_lanes), -2, 0)


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
    """[..., K] -> [...]: sixteen partial sums by k mod 16, folded to eight, then as a product's eight."""
    s = np.zeros((*x.shape[:-1], 2 * LANES), np.float32)
    for step in in_lanes(x, 2 * LANES):
        s = s + step
    return sum_of_lanes(s[..., :LANES] + s[..., LANES:])


def sum_in_order(x: F32) -> F32:
    """[..., K] -> [...], one after the other."""
    total = np.zeros(x.shape[:-1], np.float32)
    for k in range(x.shape[-1]):
        total = total + x[..., k]
    return total


def exponential(x: F32) -> F32:
    """e^x within 2 ulp; 0 below -87, e^88 above 88: the polynomial that every backend evaluates in the same order."""
    bounded = np.maximum(np.float32(-87), np.minimum(np.float32(88), x))
    n = fma(bounded, _LOG2_E, _ROUNDER) - _ROUNDER
    r = fma(n, _LN2_LOW, fma(n, _LN2_HIGH, bounded))
    p = np.full_like(r, _EXP_TERMS[0])
    for term in _EXP_TERMS[1:]:
        p = fma(p, r, term)
    y = fma(p, r * r, r) + np.float32(1)
    return np.where(x < np.float32(-87), np.float32(0), np.ldexp(y, n.astype(np.int32)))


_LOG2_E = np.float32(1.44269504)
_ROUNDER = np.float32(12582912)  # 1.5 * 2^23: adding it rounds to a whole number
_LN2_HIGH = np.float32(-0.693359375)  # minus ln 2 in two parts; n times the first is exact
_LN2_LOW = np.float32(2.12194440e-4)
_EXP_TERMS = tuple(
    np.float32(term)
    for term in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)


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
