"""The trimmed mean and its error: what a few samples that something disturbed can neither move nor hide."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TRIM = 0.2
"""Share of the samples left out at either end: as many may be far off, in whichever direction."""
FEWEST_TO_TRIM = 8
"""Of fewer so few would be left that their error is a guess, and a slowdown of 2 % found half as often."""


@dataclass(frozen=True)
class Trimmed:
    """The mean of the middle samples, its standard error and the degrees of freedom of that."""

    mean: float
    error: float
    degrees: int


def trimmed_mean(samples: Sequence[float], least_deviation: float = 0.0) -> Trimmed:
    """The middle of `samples`, whose deviation is taken to be at least `least_deviation`, in their unit.

    The error is that of the winsorised samples over those kept (Yuen, Biometrika 61, 1974; Tukey and McLaughlin 1963).
    Fewer than FEWEST_TO_TRIM are all kept: Student's mean. Errors: ValueError with fewer than two.
    """
    values = np.sort(np.asarray(samples, dtype=np.float64))
    if values.size < 2:
        raise ValueError("an error needs at least two samples")
    cut = int(TRIM * values.size) if values.size >= FEWEST_TO_TRIM else 0
    kept = values[cut : values.size - cut]
    deviation = max(float(np.clip(values, kept[0], kept[-1]).std(ddof=1)), least_deviation)
    error = deviation * math.sqrt((values.size - 1) / (kept.size * (kept.size - 1)))
    return Trimmed(float(kept.mean()), error, kept.size - 1)
