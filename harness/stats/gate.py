"""The nightly gate: alarm when a commit made a series slower, stay silent when it did not.

The evidence is the session (a process of its own), never the repetition in it. A night's first sessions only choose
suspects. An alarm rests on fresh sessions of the suspects and on how the series varied over the nights before or, where
the baseline's build is there to take turns with, on pairs of processes; and on a bound for false alarms over the whole
suite. Values are logarithms of speed throughout: more is better.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, stdtr

from harness.stats.changes import Change, change_points
from harness.stats.fdr import q_values
from harness.stats.judgement import (
    PAIRS_NEEDED,
    Doubt,
    Evidence,
    Judgement,
    Rules,
    from_pairs,
    from_sessions,
    judged,
)
from harness.stats.nights import NIGHTS_NEEDED, Fresh, SeriesNights
from harness.stats.noise import MAD, OUTLIER, RESOLUTION, Spread, moderated, spread
from harness.stats.weather import COMPANY, Cleared, cleared

AFFORDABLE = 2
"""Unchanged series that may run again in a night whatever the suite's size: a noisy small one needs second looks."""
WEATHER_SHARE = 0.2
"""Of the level, for the alarm that everything is slower: such an alarm has a machine's moods as its noise."""
LEAN = 0.2
"""How much more or less of a weather a series may suffer than the others do: its least error, as a share of it."""
EXPLAINED = 0.5
"""The share of a slow weather that the machine's own limits must show, for it to be the machine's."""
_CAUTION = 0.2
"""How sure the share of the noise that re-runs cannot average out is taken to be: its upper 80 % bound."""


@dataclass(frozen=True)
class Again:
    """What is to be measured again, in fresh processes: series under suspicion, the most suspicious first.

    `company`: the others, the most ordinary first, some of which are to be measured beside them (see weather.py).
    `moved`: the kinds whose series are slow together, which is looked at again as well, with suspects or without.
    """

    suspects: tuple[str, ...] = ()
    company: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()


def again(suite: Sequence[SeriesNights], rules: Rules) -> Again:
    """What the nights' first sessions leave open."""
    clear = cleared(suite, {})
    bases = baselines(clear.suite, rules)
    screen = max(rules.screen, AFFORDABLE / max(1, len(suite)))
    chosen, moved = _suspects(clear.suite, bases, replace(rules, screen=screen)), _moved(clear.weather, rules)
    if not chosen and not moved:
        return Again()
    distance = {
        series.series_id: abs(series.tonight - base.centre) / base.sd
        for series, base in zip(clear.suite, bases, strict=True)
        if base is not None and series.series_id not in chosen
    }
    return Again(chosen, tuple(sorted(distance, key=distance.__getitem__)), moved)


def newest_of_level(suite: Sequence[SeriesNights], rules: Rules) -> dict[str, str]:
    """By series, and by kind for the weather: the session of the newest night of the level tonight is held against.

    The build of that night is the one to take turns with: a newer one may have a slowdown that lasts.
    """
    clear = cleared(suite, {})
    known = [series for series in (*clear.suite, *clear.weather) if len(series.nights) >= NIGHTS_NEEDED]
    return {series.series_id: next(iter(series.named[_newest(series, rules)])) for series in known}


def _newest(series: SeriesNights, rules: Rules) -> int:
    if series.pinned:
        return series.pinned[-1]
    before = max(0, len(series.nights) - rules.window)
    return before + _level_of(series.firsts[before:], rules)[1] - 1


def _suspects(suite: Sequence[SeriesNights], bases: Sequence[Spread | None], rules: Rules) -> tuple[str, ...]:
    chances = {}
    for series, base in zip(suite, bases, strict=True):
        if base is not None:
            shortfall = base.centre - series.tonight
            chance = stdtr(base.degrees, -shortfall / (base.sd * math.sqrt(1 + 1 / base.n)))
            if chance <= rules.screen and shortfall >= rules.floor / 2:
                chances[series.series_id] = float(chance)
    return tuple(sorted(chances, key=chances.__getitem__)[: rules.most_suspects])


def judge(
    suite: Sequence[SeriesNights],
    fresh: Fresh,
    rules: Rules,
    machine: Mapping[str, float] | None = None,
    turns: Fresh | None = None,
) -> tuple[Judgement, ...]:
    """The verdict on every series, given the fresh sessions; a series without any is judged by its first.

    A series is judged without the weather, which is judged as a series of its own; what slows all series of a kind
    alike is an alarm for each of them, unless the machine was as slow: `machine` has its shift by kind (machine.py).
    `turns`: by series, the log ratio of tonight's code to the baseline's of every pair of processes that took turns.
    Where there are enough of them they say all there is to say, about a series as about the weather.
    """
    chosen = again(suite, rules).suspects
    clear, turns = cleared(suite, fresh, apart=chosen), _enough(turns or {})
    bases = baselines(clear.suite, rules)
    look = _Look(clear.suite, bases, clear.fresh, _least_errors(clear, bases, chosen, rules), turns)
    own = _judgements(look, chosen, rules)
    moved = _moved(clear.weather, rules)
    strict = replace(rules, level=rules.level * WEATHER_SHARE)
    together = _together([series for series in suite if series.kind in moved], turns)
    looks = [_Look((w,), _weather_baselines((w,), rules), clear.weather_fresh, turns=together) for w in clear.weather]
    weather = {look.suite[0].series_id: _judgements(look, moved, strict)[0] for look in looks}
    for kind in weather.keys() - together.keys():
        weather[kind] = _beside_machine(weather[kind], (machine or {}).get(kind))
    return tuple(
        judgement if series.series_id in turns else _in_weather(judgement, weather.get(series.kind), rules)
        for series, judgement in zip(suite, own, strict=True)
    )


def _enough(turns: Mapping[str, Mapping[str, float]]) -> Fresh:
    return {name: pairs for name, pairs in turns.items() if len(pairs) >= PAIRS_NEEDED}


def _together(suite: Sequence[SeriesNights], turns: Fresh) -> Fresh:
    """By kind, the median over its series of every pair of processes that measured some of them."""
    by_kind: dict[str, dict[str, list[float]]] = {}
    for series in suite:
        for pair, value in turns.get(series.series_id, {}).items():
            by_kind.setdefault(series.kind, {}).setdefault(pair, []).append(value)
    middle = {kind: {pair: float(np.median(v)) for pair, v in pairs.items()} for kind, pairs in by_kind.items()}
    return _enough(middle)


def _moved(weather: Sequence[SeriesNights], rules: Rules) -> tuple[str, ...]:
    """The kinds whose series are suspiciously slow together."""
    return _suspects(weather, _weather_baselines(weather, rules), rules)


def _weather_baselines(weather: Sequence[SeriesNights], rules: Rules) -> tuple[Spread | None, ...]:
    """As `baselines`, but moods are what a weather's nights vary by, so those far out count as well."""
    levels = (_level(series.firsts[-rules.window :], rules) for series in weather)
    return tuple(_pinned(series, spread(level, spikes=True)) for series, level in zip(weather, levels, strict=True))


def _least_errors(
    clear: Cleared, bases: Sequence[Spread | None], apart: Collection[str], rules: Rules
) -> dict[str, float]:
    """By kind, how far off any series may be tonight whatever the nights before say: in moods some suffer more.

    It is what those measured again beside the suspects, which are `apart`, scatter by, and a share of the weather.
    """
    shifts: dict[str, list[float]] = {}
    for series, base in zip(clear.suite, bases, strict=True):
        fresh = clear.fresh.get(series.series_id)
        if base is not None and fresh and series.series_id not in apart:
            shifts.setdefault(series.kind, []).append(float(np.mean([*fresh.values()])) - base.centre)
    scatter = {kind: MAD * float(np.median(np.abs(found))) for kind, found in shifts.items() if len(found) >= COMPANY}
    for weather, base in zip(clear.weather, _weather_baselines(clear.weather, rules), strict=True):
        fresh = clear.weather_fresh.get(weather.series_id)
        value = float(np.mean([*fresh.values()])) if fresh else weather.tonight
        if base is not None:
            lean = LEAN * abs(value - base.centre)
            scatter[weather.series_id] = max(scatter.get(weather.series_id, 0.0), lean)
    return scatter


@dataclass(frozen=True)
class _Look:
    """Series with their baselines and re-runs, and the least error that those of a kind are taken to have tonight.

    `turns`: what pairs of processes of two builds say, for some of them.
    """

    suite: tuple[SeriesNights, ...]
    bases: tuple[Spread | None, ...]
    fresh: Fresh
    least_errors: Mapping[str, float] = field(default_factory=dict)
    turns: Fresh = field(default_factory=dict)

    def evidence(self) -> list[Evidence | None]:
        share = night_share(self.suite, self.bases, self.fresh)
        known = zip(self.suite, self.bases, strict=True)
        return [None if base is None else self._evidence(series, base, share) for series, base in known]

    def _evidence(self, series: SeriesNights, base: Spread, share: float) -> Evidence:
        again = [*self.fresh.get(series.series_id, {}).values()]
        if pairs := self.turns.get(series.series_id):
            return from_pairs([*pairs.values()], base.n, len(again))
        return from_sessions(series, base, again, share, self.least_errors.get(series.kind, 0.0))


def _judgements(look: _Look, chosen: Collection[str], rules: Rules) -> tuple[Judgement, ...]:
    suite, found = look.suite, look.evidence()
    asked = [series.series_id in chosen or series.series_id in look.turns for series in suite]
    slower = q_values([e.p_slower if e and suspect else 1.0 for e, suspect in zip(found, asked, strict=True)])
    faster = q_values([e.p_faster if e else 1.0 for e in found])
    return tuple(
        judged(series, evidence, Doubt(suspect, float(slow), float(fast)), rules)
        for series, evidence, suspect, slow, fast in zip(suite, found, asked, slower, faster, strict=True)
    )


def _beside_machine(weather: Judgement, shift: float | None) -> Judgement:
    """No alarm for weather of which the machine's own shift explains a good part."""
    if weather.outcome != "SLOWER" or weather.ratio is None or shift is None:
        return weather
    if shift > EXPLAINED * math.log(weather.ratio):
        return weather
    reason = f"so is the machine itself, by {math.expm1(shift):+.1%} of what it can do at most"
    return replace(weather, outcome="CANNOT TELL", reason=reason)


def _in_weather(own: Judgement, weather: Judgement | None, rules: Rules) -> Judgement:
    """A series' verdict with that on all series of its kind together."""
    if weather is None or own.ratio is None or weather.ratio is None:
        return own
    moved = f"{weather.ratio - 1:+.1%}"
    if own.outcome == "SLOWER":
        calm = abs(weather.ratio - 1) < rules.floor
        return own if calm else replace(own, reason=f"{own.reason}, beside {moved} of all series together")
    if weather.outcome in ("SLOWER", "FASTER") and own.outcome == "SAME":
        both = _product(own, weather)
        return replace(both, outcome=weather.outcome, reason=f"as all series together, {weather.reason}", q=weather.q)
    if weather.outcome == "CANNOT TELL" and own.outcome != "CANNOT TELL":
        reason = f"all series together are {moved} tonight: {weather.reason}"
        return replace(_product(own, weather), outcome="CANNOT TELL", reason=reason)
    return own


def _product(own: Judgement, weather: Judgement) -> Judgement:
    """Both ratios as one, their intervals joined as those of independent errors are."""
    values = [(j.ratio, j.low, j.high) for j in (own, weather)]
    logs = [(math.log(ratio), math.log(low), math.log(high)) for ratio, low, high in values if ratio and low and high]
    middle = sum(m for m, _, _ in logs)
    below, above = (math.hypot(*(log[side] - log[0] for log in logs)) for side in (1, 2))
    return replace(own, ratio=math.exp(middle), low=math.exp(middle - below), high=math.exp(middle + above))


def baselines(suite: Sequence[SeriesNights], rules: Rules) -> tuple[Spread | None, ...]:
    """Each series' level and spread before tonight; None where there are too few nights."""
    enough = [series for series in suite if len(series.nights) >= NIGHTS_NEEDED]
    levels = [_level(series.firsts[-rules.window :], rules) for series in enough]
    drawn = moderated([spread(level) for level in levels])
    known = {series.series_id: _pinned(series, base) for series, base in zip(enough, drawn, strict=True)}
    return tuple(known.get(series.series_id) for series in suite)


def _pinned(series: SeriesNights, base: Spread) -> Spread:
    """The spread of the last nights around the level of the nights that were chosen."""
    if not series.pinned:
        return base
    chosen = [value for night in series.pinned for value in series.nights[night]]
    return replace(base, centre=float(np.median(chosen)), n=len(series.pinned))


def _level(nights: Sequence[float], rules: Rules) -> Sequence[float]:
    """The nights of the level tonight is held against.

    It begins at the last step up and ends before a step down, so that an alarm stays until it is mended, acknowledged
    or made the baseline.
    """
    start, end = _level_of(nights, rules)
    return nights[start:end]


def _level_of(nights: Sequence[float], rules: Rules) -> tuple[int, int]:
    """The level's first night, and one beyond its last."""
    start, end = 0, len(nights)
    for change in _steps(tuple(nights)):
        if change.shift >= math.log1p(rules.floor):
            start, end = change.index, len(nights)
        elif change.shift <= math.log1p(-rules.floor) and end == len(nights):
            end = change.index
    return start, end


@lru_cache(maxsize=4096)
def _steps(level: tuple[float, ...]) -> tuple[Change, ...]:
    """The level's steps; the gate asks twice, for the suspects and for the verdicts."""
    return change_points(level)


def night_share(suite: Sequence[SeriesNights], bases: Sequence[Spread | None], fresh: Fresh) -> float:
    """The share of the variance between nights that sessions of one night have in common, at its upper bound.

    More sessions do not average it out. It is what the variance between nights has beyond that between re-runs.
    """
    known = [(series, base) for series, base in zip(suite, bases, strict=True) if base is not None]
    groups = [
        (np.asarray(again) - np.median(again)) / base.sd
        for series, base in known
        for again in (*(night[1:] for night in series.nights), [*fresh.get(series.series_id, {}).values()])
        if len(again) > 1
    ]
    limit = _spike_limit(groups) if groups else 0.0
    quiet = [kept for group in groups if (kept := group[np.abs(group) <= limit]).size > 1]
    degrees = sum(group.size - 1 for group in quiet)
    if not degrees:
        return 1.0
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in quiet)
    return min(max(1 - squares / float(chdtri(degrees, _CAUTION)), 0.0), 1.0)


def _spike_limit(groups: Sequence[NDArray[np.float64]]) -> float:
    """Beyond this distance from its night's median a re-run is a spike. Groups are small, so all are looked at."""
    return OUTLIER * max(MAD * float(np.median(np.abs(np.concatenate(groups)))), RESOLUTION)
