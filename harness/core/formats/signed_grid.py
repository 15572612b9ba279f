"""Signed codebook entries: what IQ2 and IQ3 formats have in common."""

import numpy as np
from numpy.typing import NDArray

from harness.core.formats.bits import words
from harness.core.formats.codec import Bytes
from harness.core.formats.grids import signs

SEVEN_BITS = np.array([0, 7, 14, 21], np.uint32)


def indexed_signs(index: NDArray[np.unsignedinteger]) -> NDArray[np.int8]:
    """[..., n] indices of seven bits to signs [..., 8 n]."""
    return np.take(signs(), index, axis=0).reshape(*index.shape[:-1], -1)


def plain_signs(packed: Bytes) -> NDArray[np.int8]:
    """One bit per weight, lowest first: [..., n] bytes to ±1 [..., 8 n]."""
    bits = np.unpackbits(packed, axis=-1, bitorder="little").view(np.int8)
    return np.int8(1) - np.int8(2) * bits


def scale_and_sign_words(packed: Bytes) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Words of 4 sign indices and a 4-bit scale: scales [..., n], sign indices [..., 4 n]."""
    word = words(packed, "<u4")
    index = (word[..., None] >> SEVEN_BITS) & np.uint32(127)
    return word >> np.uint32(28), index.reshape(*word.shape[:-1], -1)
