"""Joules of one sample. A figure without a reason beside it has passed every check; a doubtful one is not given at all.

Method: difference of the energy counter at the sample's edges, checked against the integral of power in between where
there are enough readings; the integral alone where a card has no counter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SHORTEST_NS = 1_000_000_000
"""GPU counters and power readings are refreshed every 20 to 100 ms: a second keeps their error under ten percent."""
SHORTEST_RAPL_NS = 50_000_000
"""RAPL is refreshed every millisecond."""
AGREEMENT = 0.05
ENOUGH_READINGS = 10
WIDEST_GAP_PERIODS = 3


@dataclass(frozen=True)
class PowerPoint:
    """A reading of one card: its power and its energy counter at `time_ns`."""

    time_ns: int
    power_w: float | None
    energy_j: float | None


@dataclass(frozen=True)
class Energy:
    """Joules, or None and the reason why not."""

    joules: float | None
    why: str = ""


def gpu_energy(points: Sequence[PowerPoint], period_ns: int) -> Energy:
    """Energy from the first to the last point, which lie at the sample's edges; those between are `period_ns` apart."""
    if len(points) < 2:
        return Energy(None, "fewer than two readings of the card")
    elapsed = points[-1].time_ns - points[0].time_ns
    if elapsed < SHORTEST_NS:
        return Energy(None, f"the sample took {elapsed / 1e9:.2f} s; a card's energy is known for one second or more")
    start, end = points[0].energy_j, points[-1].energy_j
    counted = None if start is None or end is None else end - start
    integral = _integral(points, period_ns)
    if counted is None:
        return integral if integral.joules is None else Energy(integral.joules)
    if counted <= 0:
        return Energy(None, "the card's energy counter did not advance")
    if integral.joules is not None and abs(integral.joules - counted) > AGREEMENT * counted:
        return Energy(None, f"counter ({counted:.1f} J) and integrated power ({integral.joules:.1f} J) disagree")
    return Energy(counted)


def total(parts: Sequence[Energy]) -> Energy:
    """The sum over devices; unknown if one part is."""
    for part in parts:
        if part.joules is None:
            return part
    if not parts:
        return Energy(None, "no device of this case reports energy")
    return Energy(sum(part.joules for part in parts if part.joules is not None))


def _integral(points: Sequence[PowerPoint], period_ns: int) -> Energy:
    """Trapezoids under the power readings, if they are dense enough."""
    known = [(p.time_ns, p.power_w) for p in points if p.power_w is not None]
    if len(known) < ENOUGH_READINGS:
        return Energy(None, f"{len(known)} power readings, {ENOUGH_READINGS} needed")
    steps = [(t1 - t0, (w0 + w1) / 2) for (t0, w0), (t1, w1) in pairwise(known)]
    widest = max(step for step, _ in steps)
    if widest > WIDEST_GAP_PERIODS * period_ns:
        return Energy(None, f"a gap of {widest / 1e6:.0f} ms in the power readings")
    return Energy(sum(step * watts for step, watts in steps) / 1e9)
