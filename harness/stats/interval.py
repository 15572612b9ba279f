"""The mean of repeated samples with its studentised interval; one that cannot be known is infinite, never narrow."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval, in the unit of the samples."""

    mean: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of high - low; infinite for a single sample."""
        return (self.high - self.low) / 2

    @property
    def half_width_relative(self) -> float:
        """Half-width over |mean|: what a config's `precision` bounds. Infinite for a mean of zero."""
        return self.half_width / abs(self.mean) if self.mean else math.inf


def mean_interval(samples: Sequence[float] | NDArray[np.float64], confidence: float = 0.95) -> Interval:
    """Student's interval of the mean: mean ± t(n-1) * s / sqrt(n). Errors: ValueError without samples."""
    values = np.asarray(samples, dtype=np.float64)
    if values.size == 0:
        raise ValueError("an interval needs at least one sample")
    mean = float(values.mean())
    if values.size == 1:
        return Interval(mean, -math.inf, math.inf)
    half = t_quantile(values.size - 1, confidence) * float(values.std(ddof=1)) / math.sqrt(values.size)
    return Interval(mean, mean - half, mean + half)


@lru_cache(maxsize=4096)
def t_quantile(degrees: int, confidence: float) -> float:
    """The two-sided `confidence` quantile of Student's t."""
    from scipy.special import stdtrit  # noqa: PLC0415  a tenth of a second, for which a live worker has no use

    return float(stdtrit(degrees, (1 + confidence) / 2))
