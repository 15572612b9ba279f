"""What a series did over time: the arrow from store and statistics to the nightly page.

The evidence is the session: a point is one run's value, never one repetition's. Values are in the series' `unit`.
"""

from dataclasses import dataclass
from typing import Literal

PointState = Literal["ok", "contended", "throttled", "failed", "invalid", "imported"]

SeriesVerdict = Literal["FASTER", "SLOWER", "SAME", "CANNOT TELL", "ACKNOWLEDGED", "NO BASELINE", "INVALID", "FAILED"]


@dataclass(frozen=True)
class HistoryPoint:
    """One session of a series. `value` is None where nothing valid was measured; `note` then says why.

    `low` and `high`: the interval of the mean over the session's samples.
    """

    run: str
    time: str  # ISO 8601, UTC
    commit: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n_samples: int = 0
    state: PointState = "ok"
    note: str = ""


@dataclass(frozen=True)
class ChangePoint:
    """A step in a series. `index` is the first point after it, `ratio` the speed after over the speed before."""

    index: int
    ratio: float
    low: float
    high: float
    commit_before: str
    commit_after: str
    p_value: float | None = None
    confirmed: bool = False
    acknowledged: str = ""  # why it is accepted, and until when; empty if it is not


@dataclass(frozen=True)
class Series:
    """One model, device, test and choice of axes over time, and the verdict on its newest point.

    `variant` names the axes that tell it from its siblings. `ratio`, `low`, `high`: newest speed over the baseline's,
    above 1 where it got better; for seconds or bytes that is the baseline's value over the newest.
    """

    series_id: str
    model: str
    device: str
    test: str
    variant: str
    metric: str
    unit: str
    points: tuple[HistoryPoint, ...]
    changes: tuple[ChangePoint, ...] = ()
    verdict: SeriesVerdict = "NO BASELINE"
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    baseline: str = ""  # the run or commit compared with
    reason: str = ""
    higher_is_better: bool = True
    device_class: str = ""


@dataclass(frozen=True)
class Commit:
    """A commit a point names; `subject` may be empty where the repository is not at hand."""

    commit: str
    time: str = ""
    subject: str = ""


@dataclass(frozen=True)
class History:
    """Everything the nightly page shows. `newest` is the time of the newest point."""

    title: str
    newest: str
    series: tuple[Series, ...]
    commits: tuple[Commit, ...] = ()
