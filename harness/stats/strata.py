"""The verdict on two variants measured under several conditions, such as depths: one effect, no condition's own noise.

Each condition's log ratios have a mean of their own; what scatters around those means is the noise, pooled. Pairs are
not thrown together: a gain that differs from depth to depth would look like noise.
"""

import math
from collections.abc import Sequence

import numpy as np

from harness.stats.interval import Interval, t_quantile
from harness.stats.paired import (
    ALARM_CONFIDENCE,
    LARGEST_LOG,
    SAME_CONFIDENCE,
    PairedResult,
    log_ratios,
    pairs_needed_for,
    verdict_of,
)


def compare_strata(
    strata: Sequence[tuple[Sequence[int], Sequence[int]]], floor: float = 0.005, same: float = 0.01
) -> PairedResult:
    """`paired.compare` for the mean over strata (a_ns, b_ns) of equal weight; `n_pairs` counts all pairs.

    mean ± t(sum(n_d - 1)) * s_pooled * sqrt(sum(1 / n_d)) / D, the textbook's interval of a mean of D means with one
    variance. Errors: ValueError without strata or for a stratum `log_ratios` refuses.
    """
    if not strata:
        raise ValueError("a comparison needs at least one stratum")
    logs = [log_ratios(a_ns, b_ns) for a_ns, b_ns in strata]
    mean = float(np.mean([stratum.mean() for stratum in logs]))
    n_pairs = sum(stratum.size for stratum in logs)
    degrees = n_pairs - len(logs)
    error = math.inf
    if degrees:
        pooled = sum(float(((stratum - stratum.mean()) ** 2).sum()) for stratum in logs) / degrees
        error = math.sqrt(pooled * sum(1 / stratum.size for stratum in logs)) / len(logs)
    wide, narrow = _interval(mean, error, degrees, ALARM_CONFIDENCE), _interval(mean, error, degrees, SAME_CONFIDENCE)
    sd = error * math.sqrt(n_pairs)
    verdict = verdict_of(wide, narrow, floor, same)
    needed = pairs_needed_for(mean, sd, floor, same, n_pairs) if verdict == "CANNOT TELL" else 0
    high = math.exp(wide.high) if wide.high < LARGEST_LOG else math.inf
    return PairedResult(math.exp(mean), math.exp(wide.low), high, verdict, n_pairs, needed, sd)


def _interval(mean: float, error: float, degrees: int, confidence: float) -> Interval:
    if not degrees:
        return Interval(mean, -math.inf, math.inf)
    half = t_quantile(degrees, confidence) * error
    return Interval(mean, mean - half, mean + half)
