"""The verdict on two variants measured under several conditions, such as depths: one effect, no condition's own noise.

Each condition's log ratios have a mean of their own; what scatters around those means is the noise, pooled. Pairs are
not thrown together: a gain that differs from depth to depth would look like noise.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.stats.interval import Interval, t_quantile
from harness.stats.paired import (
    ALARM_CONFIDENCE,
    LARGEST_LOG,
    SAME_CONFIDENCE,
    PairedResult,
    compare_observations,
    log_ratios,
    needed_for,
    process_means,
    verdict_of,
)

MANY = 1_000_000


def compare_strata(
    strata: Sequence[tuple[Sequence[int], Sequence[int]]],
    processes: Sequence[Sequence[int]] = (),
    *,
    floor: float = 0.005,
    same: float = 0.01,
    process_sd: float = 0.0,
) -> PairedResult:
    """`paired.compare` for the mean over strata (a_ns, b_ns) of equal weight; `n_pairs` counts all pairs.

    `processes[i]` are those of stratum i's pairs. With several pairs of processes that took part in every stratum, the
    mean over the strata of each of them is one observation: what makes two processes differ makes them differ in all
    strata. Otherwise mean ± t(sum(n_d - 1)) * s_pooled * sqrt(sum(1 / n_d)) / D, the textbook's interval of a mean of
    D means with one variance. Sides that are one process each, one after the other, also differ as processes do:
    `process_sd`, in log units, widens the interval (Welch-Satterthwaite), and no number of pairs would settle what it
    leaves open. Errors: ValueError without strata or for a stratum `log_ratios` refuses.
    """
    if not strata:
        raise ValueError("a comparison needs at least one stratum")
    logs = [log_ratios(a_ns, b_ns) for a_ns, b_ns in strata]
    whole = _whole_processes(logs, processes)
    if whole.size > 1:
        result = compare_observations(whole, floor, same)
        return replace(result, n_pairs=sum(stratum.size for stratum in logs), n_processes=whole.size)
    mean = float(np.mean([stratum.mean() for stratum in logs]))
    n_pairs = sum(stratum.size for stratum in logs)
    within, degrees = _within(logs)
    error = math.hypot(within, process_sd * math.sqrt(2))
    if process_sd and within:
        degrees = min(MANY, degrees * (error / within) ** 4)
    wide, narrow = _interval(mean, error, degrees, ALARM_CONFIDENCE), _interval(mean, error, degrees, SAME_CONFIDENCE)
    sd = error * math.sqrt(n_pairs)
    verdict = verdict_of(wide, narrow, floor, same)
    open_to_pairs = verdict == "CANNOT TELL" and not process_sd
    needed = needed_for(mean, sd, floor, same, n_pairs) if open_to_pairs else 0
    high = math.exp(wide.high) if wide.high < LARGEST_LOG else math.inf
    return PairedResult(math.exp(mean), math.exp(wide.low), high, verdict, n_pairs, needed, sd)


def _whole_processes(logs: Sequence[NDArray[np.float64]], processes: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """The mean over the strata of every pair of processes that took part in all of them."""
    means = [process_means(stratum, of) for stratum, of in zip(logs, processes, strict=True)] if processes else [{}]
    whole = set.intersection(*map(set, means))
    return np.array([np.mean([stratum[number] for stratum in means]) for number in sorted(whole)])


def _within(logs: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """The standard error of the mean of the strata's means, and its degrees of freedom; infinite without any."""
    degrees = sum(stratum.size for stratum in logs) - len(logs)
    if not degrees:
        return math.inf, 0
    pooled = sum(float(((stratum - stratum.mean()) ** 2).sum()) for stratum in logs) / degrees
    return math.sqrt(pooled * sum(1 / stratum.size for stratum in logs)) / len(logs), degrees


def _interval(mean: float, error: float, degrees: float, confidence: float) -> Interval:
    if not degrees:
        return Interval(mean, -math.inf, math.inf)
    half = t_quantile(int(degrees), confidence) * error
    return Interval(mean, mean - half, mean + half)
