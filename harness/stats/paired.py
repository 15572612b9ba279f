"""The verdict on two variants measured in pairs. A verdict is one of four; noise yields CANNOT TELL, never a guess.

The statistic is the mean of the paired log ratios log(a_ns / b_ns) with a studentised interval. A percentile bootstrap
of ten pairs, the usual alternative, alarms in 4 % of comparisons of a thing with itself at a nominal 1 %.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
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
"""`pairs_needed` is planned so that, if what was seen is so, the verdict falls with this probability."""


@dataclass(frozen=True)
class PairedResult:
    """`ratio` is the speed of b over the speed of a: 1.02 means b is 2 % faster; the verdict is about b.

    `low` and `high`: the 99 % interval of the ratio (0 and infinity from a single pair). `sd`: standard deviation of a
    pair's log ratio. `pairs_needed`: in all, to leave CANNOT TELL; 0 beside any other verdict; MOST_PAIRS: hopeless.
    """

    ratio: float
    low: float
    high: float
    verdict: Verdict
    n_pairs: int
    pairs_needed: int
    sd: float = 0.0


def compare(a_ns: Sequence[int], b_ns: Sequence[int], floor: float = 0.005, same: float = 0.01) -> PairedResult:
    """FASTER, SLOWER: the 99 % interval excludes 1 and |ratio - 1| ≥ floor. SAME: the 90 % interval is within 1 ± same.

    `a_ns[i]` and `b_ns[i]` are times of equal work, taken next to each other. FASTER and SLOWER go before SAME. All
    is symmetric in logarithms, so swapping the sides gives the mirrored verdict.
    Errors: ValueError for unequal lengths, no pairs, or a time that is not positive.
    """
    logs = log_ratios(a_ns, b_ns)
    wide, narrow = mean_interval(logs, ALARM_CONFIDENCE), mean_interval(logs, SAME_CONFIDENCE)
    sd = float(logs.std(ddof=1)) if logs.size > 1 else math.inf
    verdict = verdict_of(wide, narrow, floor, same)
    return PairedResult(
        ratio=math.exp(wide.mean),
        low=math.exp(wide.low),
        high=math.exp(wide.high) if wide.high < LARGEST_LOG else math.inf,
        verdict=verdict,
        n_pairs=logs.size,
        pairs_needed=pairs_needed_for(wide.mean, sd, floor, same, logs.size) if verdict == "CANNOT TELL" else 0,
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


def verdict_of(wide: Interval, narrow: Interval, floor: float, same: float) -> Verdict:
    if wide.low > 0 and wide.mean >= math.log1p(floor):
        return "FASTER"
    if wide.high < 0 and -wide.mean >= math.log1p(floor):
        return "SLOWER"
    if max(-narrow.low, narrow.high) <= math.log1p(same):
        return "SAME"
    return "CANNOT TELL"


def pairs_needed_for(mean: float, sd: float, floor: float, same: float, n_pairs: int) -> int:
    """The fewest pairs after which, at this mean and spread, one of the three other verdicts is likely."""
    if not math.isfinite(sd):
        return FEWEST_PAIRS
    routes = [MOST_PAIRS]
    if abs(mean) >= math.log1p(floor):
        routes.append(pairs_to_find(abs(mean), sd, ALARM_CONFIDENCE, SETTLE_CHANCE))
    margin = math.log1p(same) - abs(mean)
    if margin > 0:
        routes.append(pairs_to_confine(margin, sd, SAME_CONFIDENCE))
    return max(n_pairs + 1, min(routes))
