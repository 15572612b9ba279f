"""False discoveries over a suite: of many cases tested at once, how many alarms are wrong is bounded.

When nothing has changed anywhere, the chance of any alarm at all is at most the level.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def q_values(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Benjamini's and Hochberg's adjusted p-values (JRSS B 57, 1995), in the order given.

    Rejecting every q ≤ level keeps the expected share of wrong rejections at or below the level. Valid for independent
    and for positively dependent tests, such as cases that share a night's mood.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    scaled = p[order] * p.size / np.arange(1, p.size + 1)
    q = np.empty_like(p)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q
