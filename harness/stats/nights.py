"""A series as the gate sees it: its nights, and tonight."""

from collections.abc import Mapping
from dataclasses import dataclass

NIGHTS_NEEDED = 5
"""Earlier nights without which nothing is said of a series."""

Fresh = Mapping[str, Mapping[str, float]]
"""Tonight's re-runs: by series, the value of every session that measured it."""


@dataclass(frozen=True)
class SeriesNights:
    """A series' earlier nights in order, and tonight. A night is its first session's value, then its re-runs'.

    Values are logarithms of speed. `pinned`: the nights to compare with, where somebody has chosen them; the level of
    the last nights else. `kind`: series of one kind, a metric on a device, share a night's weather. `sessions`: the
    names of the nights' sessions, equal for series that were measured in one session; counted where none are given.
    """

    series_id: str
    nights: tuple[tuple[float, ...], ...]
    tonight: float
    pinned: tuple[int, ...] = ()
    kind: str = ""
    sessions: tuple[tuple[str, ...], ...] = ()

    @property
    def firsts(self) -> tuple[float, ...]:
        """The nights' first sessions."""
        return tuple(night[0] for night in self.nights)

    @property
    def named(self) -> tuple[dict[str, float], ...]:
        """The nights' values by session, the first session first."""
        names = self.sessions or tuple(
            tuple(f"{place}.{number}" for number in range(len(night))) for place, night in enumerate(self.nights)
        )
        return tuple(dict(zip(own, night, strict=True)) for own, night in zip(names, self.nights, strict=True))
