"""Two results that were not measured in pairs: the ratio, its interval over sessions, and a verdict.

Repetitions inside a process say nothing about the next process; where a side has a single session, the spread between
sessions is the series' own where its history is known, and an assumed one else, never that of the repetitions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.stats.interval import t_quantile
from harness.stats.paired import ALARM_CONFIDENCE, SAME_CONFIDENCE, Verdict

ASSUMED_SD = 0.015
"""Standard deviation between sessions of one machine, in log units, where nothing is known of it."""
_MANY = 1000
_FEW = 10
"""Degrees of freedom below which a known history says more about the spread than the sessions at hand."""
_FEWEST = 2

Basis = Literal[
    "its sessions",
    "the series' history",
    "an assumed spread of 1.5 % between sessions",
    "the scatter inside the sessions, which is larger than between them",
]


@dataclass(frozen=True)
class UnpairedResult:
    """Speed of b over speed of a, its 99 % interval, the verdict on b, and what the interval rests on."""

    ratio: float
    low: float
    high: float
    verdict: Verdict
    basis: Basis


def compare_sessions(
    a: Sequence[float],
    b: Sequence[float],
    known_sd: float | None = None,
    *,
    within: float = 0.0,
    floor: float = 0.005,
    same: float = 0.01,
) -> UnpairedResult:
    """Compare log speeds, one per session. `known_sd`: the standard deviation between sessions, where a history has it.

    `within`: the largest standard error a session's own samples leave it with; no spread is believed to be smaller.

    FASTER, SLOWER: the 99 % interval excludes 1 and |ratio - 1| ≥ floor. SAME: the 90 % interval is within 1 ± same.
    Errors: ValueError without sessions.
    """
    if not len(a) or not len(b):
        raise ValueError(f"both sides need a session, got {len(a)} and {len(b)}")
    shift = float(np.mean(b)) - float(np.mean(a))
    sd, degrees, basis = _spread(a, b, known_sd, within)
    error = sd * math.sqrt(1 / len(a) + 1 / len(b))
    wide, narrow = (t_quantile(degrees, confidence) * error for confidence in (ALARM_CONFIDENCE, SAME_CONFIDENCE))
    verdict: Verdict = "CANNOT TELL"
    if abs(shift) > wide and abs(shift) >= math.log1p(floor):
        verdict = "FASTER" if shift > 0 else "SLOWER"
    elif abs(shift) + narrow <= math.log1p(same):
        verdict = "SAME"
    return UnpairedResult(math.exp(shift), math.exp(shift - wide), math.exp(shift + wide), verdict, basis)


def _spread(a: Sequence[float], b: Sequence[float], known_sd: float | None, within: float) -> tuple[float, int, Basis]:
    """The standard deviation between sessions, its degrees of freedom, and where it is from."""
    degrees = len(a) + len(b) - 2
    if degrees >= _FEWEST and (known_sd is None or degrees >= _FEW):
        squares = float(np.var(a) * len(a) + np.var(b) * len(b))
        return math.sqrt(squares / degrees), degrees, "its sessions"
    believed = ASSUMED_SD if known_sd is None else known_sd
    if within > believed:
        return within, _MANY, "the scatter inside the sessions, which is larger than between them"
    return believed, _MANY, "an assumed spread of 1.5 % between sessions" if known_sd is None else "the series' history"
