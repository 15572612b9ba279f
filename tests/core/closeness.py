"""How far apart logits are, as the tolerances of the design measure it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def distance(left: NDArray[Any], right: NDArray[Any]) -> float:
    """Relative L2 of left to right."""
    wide = right.astype(np.float64)
    return float(np.linalg.norm(left - wide) / np.linalg.norm(wide))


def median_distance(left: NDArray[Any], right: NDArray[Any]) -> float:
    """Median over positions of the relative L2 of [T, n_vocab] logits."""
    return float(np.median([distance(a, b) for a, b in zip(left, right, strict=True)]))
