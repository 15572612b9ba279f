"""What is said of one series: its evidence, from sessions or from pairs of processes, and the verdict on that.

Values are logarithms of speed throughout: more is better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from harness.stats.interval import t_quantile
from harness.stats.nights import NIGHTS_NEEDED, SeriesNights
from harness.stats.noise import OUTLIER, RESOLUTION, Spread
from harness.stats.trimmed import trimmed_mean

Outcome = Literal["SLOWER", "FASTER", "SAME", "CANNOT TELL", "NO BASELINE"]

PAIRS_NEEDED = 4
"""Pairs of processes of two builds below which their spread is a guess."""
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Rules:
    """What counts. `floor`: least relative slowdown worth an alarm. `level`: bound on false discoveries in a suite.

    `screen`: share of unchanged series that become suspects; AFFORDABLE series where that is fewer. `reruns`: fresh
    sessions per suspect. `window`: nights looked back on. `most_suspects`: how many are re-run at most. `blind`:
    slowdown a quiet verdict must rule out.
    """

    floor: float = 0.01
    level: float = 0.05
    screen: float = 0.05
    reruns: int = 5
    window: int = 30
    most_suspects: int = 30
    blind: float = 0.05


@dataclass(frozen=True)
class Judgement:
    """What the gate says of a series. `ratio`: speed over the baseline's with its 95 % interval; `q`: see fdr."""

    series_id: str
    outcome: Outcome
    reason: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    q: float | None = None
    n_nights: int = 0
    n_reruns: int = 0


@dataclass(frozen=True)
class Evidence:
    """How far a series is from its baseline tonight, the error of that and its degrees of freedom.

    `confirmed`: what it rests on, in words. `noise`: what the error is made of.
    """

    shift: float
    error: float
    degrees: float
    n_nights: int
    n_reruns: int
    confirmed: str
    noise: str

    @property
    def p_slower(self) -> float:
        """The chance of such a shift, or one further down, where nothing changed."""
        return float(stdtr(self.degrees, self.shift / self.error))

    @property
    def p_faster(self) -> float:
        """The same upwards."""
        return float(stdtr(self.degrees, -self.shift / self.error))


@dataclass(frozen=True)
class Doubt:
    """What the suite as a whole makes of one series' evidence."""

    suspect: bool
    q_slower: float
    q_faster: float


def from_sessions(series: SeriesNights, base: Spread, again: Sequence[float], share: float, least: float) -> Evidence:
    """Tonight's fresh sessions `again`, or the first one, against what nights differ by.

    `share` of the variance between nights is common to the sessions of one; the error is at least `least`.
    """
    variance = base.sd**2
    if again:
        fresh = _undisturbed(np.asarray(again), base.sd)
        value = float(fresh.mean())
        tonight = share * variance + (1 - share) * variance / fresh.size
    else:
        value, tonight = series.tonight, variance
    error = max(math.sqrt(tonight + variance / base.n), least)
    confirmed = f"in {len(again)} fresh sessions" if again else "in one session, not run again"
    return Evidence(value - base.centre, error, base.degrees, base.n, len(again), confirmed, "what nights differ by")


def from_pairs(pairs: Sequence[float], n_nights: int, n_reruns: int) -> Evidence:
    """Tonight's code over the baseline's: one log ratio per pair of processes that took turns.

    Whatever the machine's mood, it is in both. What disturbs one process is not: of twenty pairs one is often far off.
    """
    middle = trimmed_mean(pairs, RESOLUTION)
    confirmed = f"in {len(pairs)} pairs of processes with the baseline's build"
    noise = "what pairs of processes differ by"
    return Evidence(middle.mean, middle.error, middle.degrees, n_nights, n_reruns, confirmed, noise)


def judged(series: SeriesNights, evidence: Evidence | None, doubt: Doubt, rules: Rules) -> Judgement:
    """The verdict; there is none without evidence, for which nights are needed."""
    if evidence is None:
        n = len(series.nights)
        return Judgement(series.series_id, "NO BASELINE", f"{n} earlier nights, {NIGHTS_NEEDED} needed", n_nights=n)
    half = t_quantile(int(evidence.degrees), _CONFIDENCE) * evidence.error
    outcome, reason = _outcome(evidence, half, doubt, rules)
    return Judgement(
        series.series_id,
        outcome,
        reason,
        math.exp(evidence.shift),
        math.exp(evidence.shift - half),
        math.exp(evidence.shift + half),
        doubt.q_slower,
        evidence.n_nights,
        evidence.n_reruns,
    )


def _undisturbed(again: NDArray[np.float64], sd: float) -> NDArray[np.float64]:
    """The re-runs without those that something else disturbed: a minority far from the median."""
    kept = again[np.abs(again - np.median(again)) <= OUTLIER * sd]
    return kept if 2 * kept.size > again.size else again


def _outcome(evidence: Evidence, half: float, doubt: Doubt, rules: Rules) -> tuple[Outcome, str]:
    floor = math.log1p(-rules.floor)
    if doubt.suspect and evidence.shift <= floor:
        if doubt.q_slower <= rules.level:
            return "SLOWER", evidence.confirmed
        return "CANNOT TELL", f"slower {evidence.confirmed}, but not beyond {evidence.noise}"
    if evidence.shift >= -floor and doubt.q_faster <= rules.level:
        return "FASTER", evidence.confirmed
    if evidence.shift - half <= math.log1p(-rules.blind):
        return "CANNOT TELL", f"too noisy: a slowdown of {rules.blind:.0%} would not be seen"
    return "SAME", f"a suspect, cleared {evidence.confirmed}" if doubt.suspect else ""
