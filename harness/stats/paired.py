"""The verdict on two variants measured in pairs. A verdict is one of four; noise yields CANNOT TELL, never a guess.

The statistic is the mean of the paired log ratios log(a_ns / b_ns) with a studentised interval. A percentile bootstrap
of ten pairs, the usual alternative, alarms in 4 % of comparisons of a thing with itself at a nominal 1 %.

Two live processes differ for as long as they live, by where their memory lies: no further pair averages that out. Where
a comparison has had several pairs of processes, the evidence is the mean of each, and pairs only make the means good.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.stats.interval import Interval, mean_interval
from harness.stats.power import FEWEST_PAIRS, MOST_PAIRS, pairs_to_confine, pairs_to_find

Verdict = Literal["FASTER", "SLOWER", "SAME", "CANNOT TELL"]

ALARM_CONFIDENCE = 0.99
SAME_CONFIDENCE = 0.90
LARGEST_LOG = 700.0
SETTLE_CHANCE = 0.90
"""`needed` is planned so that, if what was seen is so, the verdict falls with this probability."""


@dataclass(frozen=True)
class PairedResult:
    """`ratio` is the speed of b over the speed of a: 1.02 means b is 2 % faster; the verdict is about b.

    `low` and `high`: the 99 % interval of the ratio (0 and infinity from a single observation). An observation is a
    pair, or with `n_processes` above 1 a pair of processes. `sd`: standard deviation of an observation's log ratio.
    `needed`: observations in all, to leave CANNOT TELL; 0 beside any other verdict; MOST_PAIRS: hopeless.
    """

    ratio: float
    low: float
    high: float
    verdict: Verdict
    n_pairs: int
    needed: int
    sd: float = 0.0
    n_processes: int = 1


def compare(
    a_ns: Sequence[int],
    b_ns: Sequence[int],
    processes: Sequence[int] = (),
    *,
    floor: float = 0.005,
    same: float = 0.01,
) -> PairedResult:
    """FASTER, SLOWER: the 99 % interval excludes 1 and |ratio - 1| ≥ floor. SAME: the 90 % interval is within 1 ± same.

    `a_ns[i]` and `b_ns[i]` are times of equal work, taken next to each other by the pair of processes `processes[i]`
    (empty: one pair of processes took them all). FASTER and SLOWER go before SAME. All is symmetric in logarithms, so
    swapping the sides gives the mirrored verdict.
    Errors: ValueError for unequal lengths, no pairs, or a time that is not positive.
    """
    logs = log_ratios(a_ns, b_ns)
    means = process_means(logs, processes)
    result = compare_observations(logs if len(means) < 2 else np.array(list(means.values())), floor, same)
    return replace(result, n_pairs=logs.size, n_processes=max(1, len(means)))


def compare_observations(logs: NDArray[np.float64], floor: float, same: float) -> PairedResult:
    """The verdict on log ratios that are independent of each other, each of them a pair."""
    wide, narrow = mean_interval(logs, ALARM_CONFIDENCE), mean_interval(logs, SAME_CONFIDENCE)
    sd = float(logs.std(ddof=1)) if logs.size > 1 else math.inf
    verdict = verdict_of(wide, narrow, floor, same)
    return PairedResult(
        ratio=math.exp(wide.mean),
        low=math.exp(wide.low),
        high=math.exp(wide.high) if wide.high < LARGEST_LOG else math.inf,
        verdict=verdict,
        n_pairs=logs.size,
        needed=needed_for(wide.mean, sd, floor, same, logs.size) if verdict == "CANNOT TELL" else 0,
        sd=sd,
    )


def precise_enough(a_ns: Sequence[int], b_ns: Sequence[int], floor: float = 0.005) -> bool:
    """Whether to stop taking pairs: the 99 % interval reaches no further than `floor` to either side.

    The rule must not look at the verdict: stopping as soon as one falls alarms in 7 % of comparisons of a thing with
    itself at a pair deviation of 2 %, this rule in about 1.5 % (`benchmarks/verdicts.py`).
    """
    half_width = mean_interval(log_ratios(a_ns, b_ns), ALARM_CONFIDENCE).half_width
    return half_width <= math.log1p(floor)


def log_ratios(a_ns: Sequence[int], b_ns: Sequence[int]) -> NDArray[np.float64]:
    """log(a/b) of every pair: positive where b is faster."""
    if len(a_ns) != len(b_ns) or not len(a_ns):
        raise ValueError(f"pairs need equally many times on both sides, got {len(a_ns)} and {len(b_ns)}")
    a, b = np.asarray(a_ns, dtype=np.float64), np.asarray(b_ns, dtype=np.float64)
    if not (np.all(a > 0) and np.all(b > 0)):
        raise ValueError("a time must be positive")
    return np.log(a / b)


def process_means(logs: NDArray[np.float64], processes: Sequence[int]) -> dict[int, float]:
    """The mean log ratio of every pair of processes. Errors: ValueError unless each log has its process, or none."""
    if not len(processes):
        return {}
    if len(processes) != logs.size:
        raise ValueError(f"{logs.size} pairs cannot be of {len(processes)} processes")
    numbers = np.asarray(processes)
    return {int(number): float(logs[numbers == number].mean()) for number in np.unique(numbers)}


def verdict_of(wide: Interval, narrow: Interval, floor: float, same: float) -> Verdict:
    if wide.low > 0 and wide.mean >= math.log1p(floor):
        return "FASTER"
    if wide.high < 0 and -wide.mean >= math.log1p(floor):
        return "SLOWER"
    if max(-narrow.low, narrow.high) <= math.log1p(same):
        return "SAME"
    return "CANNOT TELL"


def needed_for(mean: float, sd: float, floor: float, same: float, n_observations: int) -> int:
    """The fewest observations after which, at this mean and spread, one of the three other verdicts is likely."""
    if not math.isfinite(sd):
        return FEWEST_PAIRS
    routes = [MOST_PAIRS]
    if abs(mean) >= math.log1p(floor):
        routes.append(pairs_to_find(abs(mean), sd, ALARM_CONFIDENCE, SETTLE_CHANCE))
    margin = math.log1p(same) - abs(mean)
    if margin > 0:
        routes.append(pairs_to_confine(margin, sd, SAME_CONFIDENCE))
    return max(n_observations + 1, min(routes))
