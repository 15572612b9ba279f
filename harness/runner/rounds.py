"""Rounds: one sample from every side, next to each other in time. A round counts for all its sides or for none.

Two sides go A B, B A, A B: what drifts drifts under both alike. More sides rotate, every second cycle backwards.
Rounds are judged among those of the same processes; `share` says what each of several such sets has to reach.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from harness.records.case import Sampling
from harness.records.timing import Sample
from harness.runner.sampling import FEWEST_ON_BUDGET, RETAKE_SHARE, RETAKES, mark_warmup
from harness.stats.paired import precise_enough

FEWEST_ROUNDS = 6
"""With fewer the spread of the pairs is a guess, and stopping by it alarms too often (`benchmarks/verdicts.py`)."""

Round = tuple[Sample, ...]

BAD = ("contended", "throttled")


def order(n_sides: int, index: int) -> tuple[int, ...]:
    """In which order the sides of round `index` go."""
    first = index % n_sides
    rotated = (*range(first, n_sides), *range(first))
    return rotated if (index // n_sides) % 2 == 0 else rotated[::-1]


def settled(rounds: Sequence[Round]) -> list[Round]:
    """`rounds` with states that agree: a disturbed or warming sample takes the others of its round with it."""
    paired = [_disturbed_together(found) for found in rounds]
    sides = [mark_warmup(side) for side in zip(*paired, strict=True)]
    return [_warm_together(found) for found in zip(*sides, strict=True)]


def share(sampling: Sampling) -> Sampling:
    """What one set of processes has to reach if all together are to reach `sampling`."""
    n = sampling.processes
    return replace(
        sampling,
        precision=sampling.precision * math.sqrt(n),
        min_samples=max(1, math.ceil(sampling.min_samples / n)),
        max_samples=max(FEWEST_ON_BUDGET, math.ceil(sampling.max_samples / n)),
        processes=1,
    )


def good(rounds: Sequence[Round]) -> list[Round]:
    """Those that count, of settled ones."""
    return [found for found in rounds if all(sample.state == "ok" for sample in found)]


def why_stop(rounds: Sequence[Round], sampling: Sampling, elapsed_ns: int, last_ns: int, budget_ns: int) -> str:
    """Why no further round is taken; empty to go on. It looks at how precise the ratios are, never at a verdict."""
    calm = good(rounds)
    disturbed = sum(found[0].state in BAD for found in rounds)
    if len(calm) >= max(FEWEST_ROUNDS, sampling.min_samples) and _precise(calm, sampling.precision):
        return "precision"
    if len(rounds) >= sampling.max_samples:
        return "max samples"
    if elapsed_ns > budget_ns or (len(rounds) >= FEWEST_ON_BUDGET and elapsed_ns + last_ns > budget_ns):
        return "time budget"
    return "contention" if disturbed > max(RETAKES, RETAKE_SHARE * len(calm)) else ""


def _precise(calm: Sequence[Round], floor: float) -> bool:
    times = [[sample.total_ns for sample in side] for side in zip(*calm, strict=True)]
    return all(precise_enough(times[0], other, floor) for other in times[1:])


def _disturbed_together(found: Round) -> Round:
    bad = next((sample for sample in found if sample.state in BAD), None)
    if bad is None:
        return found
    why = f"another side of its round: {bad.disturbed_by}"
    return tuple(s if s.state in BAD else replace(s, state="contended", disturbed_by=why) for s in found)


def _warm_together(found: Round) -> Round:
    warm = any(sample.state == "warmup" for sample in found)
    return tuple(replace(sample, state="warmup") for sample in found) if warm else found
