"""How much a series varies from night to night, learnt from all series of a suite together.

A series has a dozen nights; their variance alone is too uncertain to alarm on. Each is drawn towards what the suite's
series have in common, by as much as they are alike (the moderated variance of Smyth, SAGMB 3, 2004).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

RESOLUTION = 1e-4
"""Least standard deviation believed, in log units: below it lie clocks and rounding."""
OUTLIER = 3.5
"""Robust standard deviations from the median beyond which a night is a spike and not noise."""
MAD = 1.4826
"""A normal distribution's standard deviation over its median distance from the centre."""
_FEWEST_TO_TRIM = 5
_FEWEST_TO_POOL = 5
_MOST_DEGREES = 1000.0


@dataclass(frozen=True)
class Spread:
    """A series' centre and standard deviation with its degrees of freedom, from `n` nights; spikes left out."""

    centre: float
    sd: float
    degrees: float
    n: int


def spread(nights: Sequence[float], *, spikes: bool = False) -> Spread:
    """Centre and spread of one series on its own, with its spikes or without. Errors: ValueError without nights."""
    values = np.asarray(nights, dtype=np.float64)
    if values.size == 0:
        raise ValueError("a spread needs at least one night")
    kept = values if spikes else without_spikes(values)
    sd = float(kept.std(ddof=1)) if kept.size > 1 else math.nan
    return Spread(float(kept.mean()), max(sd, RESOLUTION) if kept.size > 1 else sd, kept.size - 1.0, kept.size)


def without_spikes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values within OUTLIER robust standard deviations of their median."""
    if values.size < _FEWEST_TO_TRIM:
        return values
    distance = np.abs(values - np.median(values))
    scale = max(MAD * float(np.median(distance)), RESOLUTION)
    return values[distance <= OUTLIER * scale]


def moderated(spreads: Sequence[Spread]) -> tuple[Spread, ...]:
    """Every series' spread drawn towards the suite's; a single night gets the suite's. Few series stay as they are."""
    known = [s for s in spreads if s.degrees > 0]
    if len(known) < _FEWEST_TO_POOL:
        return tuple(spreads)
    prior_variance, prior_degrees = _prior(known)
    return tuple(_drawn(s, prior_variance, prior_degrees) for s in spreads)


def _drawn(own: Spread, prior_variance: float, prior_degrees: float) -> Spread:
    degrees = own.degrees + prior_degrees
    squares = own.degrees * own.sd**2 if own.degrees > 0 else 0.0
    variance = (prior_degrees * prior_variance + squares) / degrees
    return Spread(own.centre, math.sqrt(variance), min(degrees, _MOST_DEGREES), own.n)


def _prior(known: Sequence[Spread]) -> tuple[float, float]:
    """The scaled inverse chi-squared distribution the series' variances come from: its variance and degrees."""
    half = np.array([s.degrees for s in known]) / 2
    logs = np.log(np.array([s.sd for s in known]) ** 2) - digamma(half) + np.log(half)
    excess = float(logs.var(ddof=1) - polygamma(1, half).mean())
    degrees = 2 * _trigamma_inverse(excess) if excess > 0 else _MOST_DEGREES
    degrees = min(degrees, _MOST_DEGREES)
    return math.exp(float(logs.mean()) + float(digamma(degrees / 2)) - math.log(degrees / 2)), degrees


def _trigamma_inverse(value: float) -> float:
    """The x with trigamma(x) = value, by Newton's method on 1 / trigamma."""
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-9 * x:
            break
    return x
