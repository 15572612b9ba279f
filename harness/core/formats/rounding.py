"""Arithmetic the quantisers share, in ggml's order of operations so that their bytes are equal to ggml's."""

import numpy as np

from harness.core.formats.codec import Floats


def signed_maximum(weights: Floats) -> Floats:
    """The element of largest magnitude along the last axis, with its sign, [..., 1]; the first one on a tie."""
    at = np.abs(weights).argmax(axis=-1, keepdims=True)
    return np.take_along_axis(weights, at, axis=-1)


def inverse(step: Floats) -> Floats:
    """1 / step, and 0 where step is 0."""
    with np.errstate(divide="ignore"):
        return np.where(step == 0, np.float32(0), np.float32(1) / step).astype(np.float32)


def round_away(values: Floats) -> Floats:
    """To the nearest whole number, halves away from zero, as C's roundf."""
    whole = np.trunc(values)
    rounded: Floats = whole + np.trunc(np.float32(2) * (values - whole))
    return rounded
