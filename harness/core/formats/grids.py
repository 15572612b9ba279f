"""Codebooks of the i-quants, read once from `grids.txt`; the arrays are what native code is handed as well.

Names: iq2_xxs [256, 8], iq2_xs [512, 8], iq2_s [1024, 8], iq3_xxs [256, 4], iq3_s [512, 4], iq1 [2048, 8].
"""

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

NAMES = ("iq2_xxs", "iq2_xs", "iq2_s", "iq3_xxs", "iq3_s", "iq1")


@cache
def grid(name: str) -> NDArray[np.int8]:
    """The codebook `name`, int8 [entries, values per entry], read-only and contiguous. KeyError for another name."""
    return _all_grids()[name]


@cache
def signs() -> NDArray[np.int8]:
    """int8 [128, 8] of ±1: bit k of the index is the sign of value k; the eighth makes the minuses even in number."""
    index = np.arange(128)[:, None] >> np.arange(7) & 1
    bits = np.concatenate([index, index.sum(axis=1, keepdims=True) & 1], axis=1)
    return _frozen((1 - 2 * bits).astype(np.int8))


@cache
def _all_grids() -> dict[str, NDArray[np.int8]]:
    text = files(__package__).joinpath("grids.txt").read_text(encoding="ascii")
    grids = {}
    for section in text.split("[")[1:]:
        heading, _, body = section.partition("\n")
        name, _, values = heading.partition("]")
        digits = np.array([[int(digit) for digit in entry] for entry in body.split()])
        grids[name] = _frozen(np.array(values.split(), np.int8)[digits])
    return grids


def _frozen(array: NDArray[np.int8]) -> NDArray[np.int8]:
    array.flags.writeable = False
    return array
