"""Value tables of the non-linear formats; row 1 is the shifted copy that a bit per group selects in ik_llama.cpp's."""

import numpy as np
from numpy.typing import NDArray

from harness.core.formats.codec import Bytes


def _with_shifted(values: list[int], shift: int) -> NDArray[np.int8]:
    return np.array([values, [value + shift for value in values]], np.int8)


IQ2 = _with_shifted([-31, -13, 1, 17], 5)
IQ3 = _with_shifted([-63, -40, -23, -10, 1, 13, 28, 47], 4)
IQ4 = _with_shifted([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], 4)
_IQ5_NEGATIVE = [-126, -114, -103, -92, -83, -74, -65, -57, -50, -43, -36, -30, -24, -18, -12, -6]
_IQ5_POSITIVE = [-1, 5, 11, 17, 23, 29, 36, 43, 51, 59, 68, 77, 87, 97, 109, 121]
IQ5 = _with_shifted(_IQ5_NEGATIVE + _IQ5_POSITIVE, 2)


def look_up(table: NDArray[np.int8], shifted: Bytes, index: Bytes) -> NDArray[np.int8]:
    """Values of `index` [..., n] where `shifted` [..., groups] selects the table's row for each group."""
    groups = index.reshape(*shifted.shape, -1)
    return table[shifted[..., None], groups].reshape(index.shape)
