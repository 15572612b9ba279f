"""One series as a small drawing: a line through sessions, its intervals, steps where the speed changed.

Drawn without matplotlib, since a nightly page has hundreds. Colours are classes of the page; there is no text in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.records.history import HistoryPoint, Series

WIDTH, HEIGHT, EDGE = 320, 84, 6
LEAST_RANGE = 0.04
"""Of the middle value: noise of a tenth of a percent must not look like a landslide."""


@dataclass(frozen=True)
class Mark:
    """A step at `x`; `mood` is good or bad by what it did to speed."""

    x: float
    mood: str


@dataclass(frozen=True)
class Sparkline:
    """Path data in a box of WIDTH × HEIGHT; `top` and `bottom` are the values at the box's edges."""

    line: str
    band: str
    dots: str
    hollow: str
    lost: str
    marks: tuple[Mark, ...]
    top: float
    bottom: float


def sparkline(series: Series) -> Sparkline | None:
    """None for a series in which nothing was ever measured."""
    scale = _scale(series.points)
    if scale is None:
        return None
    bottom, top = scale
    place = _Place(len(series.points), bottom, top)
    measured = [(i, p) for i, p in enumerate(series.points) if p.value is not None]
    return Sparkline(
        line="".join(f"{'L' if n else 'M'}{place.at(i, p.value)}" for n, (i, p) in enumerate(measured)),
        band=_band(place, measured),
        dots="".join(f"M{place.at(i, p.value)}h0" for i, p in measured if p.state == "ok"),
        hollow="".join(f"M{place.at(i, p.value)}h0" for i, p in measured if p.state != "ok"),
        lost="".join(place.cross(i) for i, p in enumerate(series.points) if p.value is None),
        marks=tuple(Mark(place.x(c.index) - place.step / 2, "good" if c.ratio > 1 else "bad") for c in series.changes),
        top=top,
        bottom=bottom,
    )


def _scale(points: Sequence[HistoryPoint]) -> tuple[float, float] | None:
    seen = [v for p in points for v in (p.value, p.low, p.high) if v is not None]
    if not seen:
        return None
    low, high = min(seen), max(seen)
    short = max(0.0, abs(high + low) / 2 * LEAST_RANGE - (high - low)) / 2
    room = (high - low) * 0.04 + short or 1.0
    return low - room, high + room


class _Place:
    """From session number and value to the box."""

    def __init__(self, n_points: int, bottom: float, top: float) -> None:
        self.step = (WIDTH - 2 * EDGE) / max(1, n_points - 1)
        self._bottom, self._span = bottom, top - bottom

    def x(self, index: int) -> float:
        return EDGE + index * self.step

    def cross(self, index: int) -> str:
        """A small cross at the bottom: a session without a value."""
        return f"M{self.x(index) - 2:.1f} {HEIGHT - 5}l4 4m0-4l-4 4"

    def at(self, index: int, value: float | None) -> str:
        share = ((value or 0.0) - self._bottom) / self._span
        return f"{self.x(index):.1f} {HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE):.1f}"


def _band(place: _Place, measured: Sequence[tuple[int, HistoryPoint]]) -> str:
    known = [(i, p) for i, p in measured if p.low is not None and p.high is not None]
    if len(known) < 2:
        return ""
    there = [place.at(i, p.high) for i, p in known]
    back = [place.at(i, p.low) for i, p in reversed(known)]
    return "M" + "L".join(there + back) + "Z"
