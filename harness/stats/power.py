"""How many pairs an effect takes: the noise of a machine turned into repetitions; the same question, the same n."""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtr

from harness.stats.interval import t_quantile

FEWEST_PAIRS = 3
MOST_PAIRS = 100_000
_GAUSS_X, _GAUSS_W = np.polynomial.legendre.leggauss(64)
_NODES, _WEIGHTS = (_GAUSS_X + 1) / 2, _GAUSS_W / 2


def power(n_pairs: int, effect: float, sd: float, confidence: float = 0.99) -> float:
    """The chance that the `confidence` interval of `n_pairs` differences of standard deviation `sd` excludes 0.

    `effect` and `sd` share one unit (log ratio). Two-sided; the floor of the verdict is not part of it. This is the
    noncentral t's tail as an average of normal tails over the chi distribution of s, to 1e-4: scipy's own turns to NaN.
    """
    if n_pairs < 2:
        return 0.0
    if sd == 0:
        return 1.0 if effect else 0.0
    critical = t_quantile(n_pairs - 1, confidence)
    shift = abs(effect) / sd * math.sqrt(n_pairs)
    scale = _chi_scale(n_pairs - 1)
    return float(_WEIGHTS @ (ndtr(shift - critical * scale) + ndtr(-shift - critical * scale)))


@lru_cache(maxsize=1024)
def pairs_to_find(effect: float, sd: float, confidence: float = 0.99, chance: float = 0.95) -> int:
    """The fewest pairs that find `effect` with probability `chance`; MOST_PAIRS where even that is too few."""
    return _fewest(lambda n: power(n, effect, sd, confidence) >= chance)


@lru_cache(maxsize=1024)
def pairs_to_confine(margin: float, sd: float, confidence: float = 0.90) -> int:
    """The fewest pairs whose interval has a half-width of at most `margin` at the present `sd`."""
    return _fewest(lambda n: t_quantile(n - 1, confidence) * sd / math.sqrt(n) <= margin)


def _fewest(enough: Callable[[int], bool]) -> int:
    """The least n in FEWEST_PAIRS .. MOST_PAIRS for which the monotonic `enough` holds, else MOST_PAIRS."""
    low, high = FEWEST_PAIRS, MOST_PAIRS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


@lru_cache(maxsize=1024)
def _chi_scale(degrees: int) -> NDArray[np.float64]:
    """The ratio s / sigma at the quadrature's nodes: sqrt(chi2(degrees) / degrees) by its quantile."""
    scale: NDArray[np.float64] = np.sqrt(2 * gammaincinv(degrees / 2, _NODES) / degrees)
    return scale
