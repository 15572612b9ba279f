"""What a night does to all series of a kind alike, told apart from what it does to one of them.

A machine has moods that last for minutes, a clock a few percent lower or a neighbour in its caches, in which
everything is slower by about the same factor. A session's weather is the median distance of its series from their own
levels. Without it, what is left of a series varies several times less, and the weather is a series of its own: what
slows everything down is still seen, by how much such weather varies.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.stats.nights import NIGHTS_NEEDED, Fresh, SeriesNights

FEWEST = 5
"""Series of a kind without which its weather is not told from theirs."""
COMPANY = 3
"""Series that a session must have measured for its weather to be known."""


@dataclass(frozen=True)
class Cleared:
    """A suite without its weather, in the same order, and its re-runs.

    `weather`: that of every kind which has one, as a series with the kind's name for its id.
    """

    suite: tuple[SeriesNights, ...]
    fresh: Fresh
    weather: tuple[SeriesNights, ...]
    weather_fresh: Fresh


def cleared(suite: Sequence[SeriesNights], fresh: Fresh, apart: Collection[str] = ()) -> Cleared:
    """Take the weather out. Tonight's re-runs have theirs from series that are not `apart`, as suspects are.

    A re-run whose weather is not known, as too little was measured beside it, counts no more.
    """
    clear = {series.series_id: series for series in suite}
    clear_fresh = {name: dict(values) for name, values in fresh.items()}
    weather, weather_fresh = [], {}
    for kind in dict.fromkeys(series.kind for series in suite):
        known = [s for s in suite if s.kind == kind and len(s.nights) >= NIGHTS_NEEDED]
        if len(known) < FEWEST:
            continue
        sky = _Sky(known, {s.series_id: fresh.get(s.series_id, {}) for s in known}, apart)
        for series in known:
            clear[series.series_id] = sky.without(series)
            if series.series_id in fresh:
                clear_fresh[series.series_id] = sky.fresh_without(fresh[series.series_id])
        weather.append(sky.as_series(kind))
        weather_fresh[kind] = sky.tonights
    return Cleared(tuple(clear[series.series_id] for series in suite), clear_fresh, tuple(weather), weather_fresh)


class _Sky:
    """The weather of one kind's sessions. A night's first session that had too little company is taken for fair."""

    def __init__(self, known: Sequence[SeriesNights], fresh: Fresh, apart: Collection[str]) -> None:
        self._known = known
        levels = {series.series_id: float(np.median(series.firsts)) for series in known}
        self.tonight = float(np.median([series.tonight - levels[series.series_id] for series in known]))
        earlier: dict[str, list[float]] = {}
        for series in known:
            for night in series.named:
                for session, value in night.items():
                    earlier.setdefault(session, []).append(value - levels[series.series_id])
        self._earlier = _medians(earlier)
        tonights: dict[str, list[float]] = {}
        for name in fresh.keys() - set(apart):
            for session, value in fresh[name].items():
                tonights.setdefault(session, []).append(value - levels[name])
        self.tonights = _medians(tonights)

    def without(self, series: SeriesNights) -> SeriesNights:
        nights = []
        for night in series.named:
            (first, value), *again = night.items()
            kept = {session: v - self._earlier[session] for session, v in again if session in self._earlier}
            nights.append({first: value - self._earlier.get(first, 0.0), **kept})
        values, names = tuple(tuple(night.values()) for night in nights), tuple(map(tuple, nights))
        return replace(series, nights=values, sessions=names, tonight=series.tonight - self.tonight)

    def fresh_without(self, values: Mapping[str, float]) -> dict[str, float]:
        return {session: v - self.tonights[session] for session, v in values.items() if session in self.tonights}

    def as_series(self, kind: str) -> SeriesNights:
        nights: dict[str, dict[str, float]] = {}
        pinned = set()
        for series in sorted(self._known, key=lambda series: -len(series.nights)):
            for place, night in enumerate(series.named):
                first = next(iter(night))
                if first in self._earlier:
                    known = {session: self._earlier[session] for session in night if session in self._earlier}
                    nights.setdefault(first, {}).update(known)
                    pinned |= {first} if place in series.pinned else set()
        chosen = tuple(place for place, first in enumerate(nights) if first in pinned)
        values, names = tuple(tuple(night.values()) for night in nights.values()), tuple(map(tuple, nights.values()))
        return SeriesNights(kind, values, self.tonight, chosen, sessions=names)


def _medians(sessions: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: float(np.median(found)) for name, found in sessions.items() if len(found) >= COMPANY}
