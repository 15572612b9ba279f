"""Whether the machine itself was slower tonight: a witness to its moods that no commit changes.

Every session measures what the machine can do at most before its first case. Where all series of a kind are slower and
these limits are too, nobody can tell a slower program from a slower machine.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean, median

from harness.stats.nights import NIGHTS_NEEDED

Limits = Mapping[str, float]
"""The logarithms of one session's limits, by name."""


def machine_shift(nights: Sequence[Limits], tonight: Sequence[Limits]) -> float | None:
    """How far the limits of tonight's sessions are from those of earlier nights, as a logarithm; below 0 is slower.

    A limit's level is the median of its nights; the shift is the median over limits. None where no limit has enough
    nights, or tonight has none.
    """
    shifts = []
    for name in {name for session in tonight for name in session}:
        before = [night[name] for night in nights if name in night]
        if len(before) >= NIGHTS_NEEDED:
            shifts.append(fmean(session[name] for session in tonight if name in session) - median(before))
    return median(shifts) if shifts else None
