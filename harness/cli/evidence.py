"""What the gate and the history judge by: tonight's series with the nights before them on the same class of machine.

Values become logarithms of speed here, more is better; re-runs of a night stay apart from its first sessions.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.config.say import say as say_value
from harness.errors import ResultError
from harness.report.speeds import same_rounds
from harness.runner.builds import pairs_of_builds
from harness.stats.gate import baselines
from harness.stats.judgement import Rules
from harness.stats.machine import machine_shift
from harness.stats.nights import SeriesNights
from harness.stats.paired import log_ratios, process_means
from harness.store.baselines import Found, baseline_of, chosen, earlier_on_line
from harness.store.commits import Repository
from harness.store.index import Index
from harness.store.measures import SeriesKey, timed
from harness.store.runs import read_run
from harness.store.sessions import RecordedSeries, RunEntry, Session, run_entries, series

SPEEDS = ("pp", "tg", "pg", "load")
"""The metrics the gate guards."""


@dataclass(frozen=True)
class Track:
    """One series: its name, the nights it was measured in, tonight and tonight's re-runs, oldest first."""

    key: SeriesKey
    variant: str
    nights: tuple[tuple[RunEntry, tuple[Session, ...]], ...]
    tonight: Session
    reruns: tuple[Session, ...]

    @property
    def name(self) -> str:
        """What a person calls it, and what acknowledgements match."""
        return " ".join(
            filter(None, (self.key.model, self.key.device, self.key.test, self.key.metric_note, self.variant))
        )


@dataclass(frozen=True)
class Evidence:
    """A run, what it is held against, its series, the runs of the nights before it and its own re-runs."""

    run: RunEntry
    baseline: Found | None
    tracks: tuple[Track, ...]
    nights: tuple[RunEntry, ...] = ()
    again: tuple[RunEntry, ...] = ()


def gather(
    index: Index, results: Path, repository: Repository, run: str | None = None, metrics: Sequence[str] = SPEEDS
) -> Evidence:
    """Everything about the run named (the newest night by default). Errors: ResultError if there is none."""
    entries = run_entries(index)
    tonight = _tonight(entries, run)
    nights = earlier_on_line(tonight, entries, repository)
    baseline = baseline_of(tonight, entries, chosen(results), repository)
    if baseline is not None and baseline.run not in nights and baseline.run.run != tonight.run:
        nights = (baseline.run, *nights)
    places = {entry.run: place for place, entry in enumerate((*nights, tonight))}
    again = [entry for entry in entries if entry.rerun_of in places]
    found = series(index, metrics=metrics, runs=[*places, *(e.run for e in again)], imported=tonight.imported)
    shown = [one for one in found if any(s.run == tonight.run for s in one.sessions)]
    variants = variants_of([one.key for one in shown])
    tracks = (_track(one, variants[one.key.series_id], (*nights, tonight)) for one in shown)
    its_own = tuple(entry for entry in again if entry.rerun_of == tonight.run)
    return Evidence(tonight, baseline, tuple(sorted(tracks, key=lambda track: track.name)), nights, its_own)


def suite(evidence: Evidence) -> tuple[SeriesNights, ...]:
    """The series that have a value tonight, as the gate takes them."""
    made = (_nights(track, evidence.baseline) for track in evidence.tracks)
    return tuple(one for one in made if one is not None)


def reruns(evidence: Evidence) -> dict[str, dict[str, float]]:
    """Tonight's fresh sessions by series, each by its run."""
    values = {t.key.series_id: {s.run: speed(t.key, s) for s in t.reruns if usable(s)} for t in evidence.tracks}
    return {name: found for name, found in values.items() if found}


def turns(evidence: Evidence, results: Path) -> dict[str, dict[str, float]]:
    """By series, the log ratio of tonight's code to the baseline's of every pair of processes that took turns.

    Errors: ResultError for a record that cannot be read.
    """
    found: dict[str, dict[str, float]] = {}
    for entry in evidence.again:
        for theirs, ours in pairs_of_builds(read_run(entry.run, results).records):
            for base, row in zip(theirs.rows, ours.rows, strict=True):
                well = same_rounds(base, row)
                logs = log_ratios([a.total_ns for a, _ in well], [b.total_ns for _, b in well]) if well else np.empty(0)
                pairs = process_means(logs, [b.process for _, b in well])
                own = found.setdefault(timed(ours, row).series_id, {})
                own.update({f"{entry.run}.{number}": mean for number, mean in pairs.items()})
    return found


def machine(evidence: Evidence) -> dict[str, float]:
    """By kind of series, how far what its device can do at most is from other nights, in the sessions that count."""
    shifts = {}
    for kind, device in {kind_of(track.key): track.key.device for track in evidence.tracks}.items():
        nights = [_rates(entry, device) for entry in evidence.nights]
        tonight = [_rates(entry, device) for entry in evidence.again or (evidence.run,)]
        if (shift := machine_shift(nights, tonight)) is not None:
            shifts[kind] = shift
    return shifts


def spreads(index: Index) -> dict[str, float]:
    """The standard deviation between sessions of every series with enough nights behind it, in log units."""
    found = series(index)
    nights = {
        one.key.series_id: [speed(one.key, s) for s in one.sessions if usable(s) and not s.rerun_of] for one in found
    }
    whole = [SeriesNights(name, tuple((v,) for v in values), 0.0) for name, values in nights.items()]
    known = zip(whole, baselines(whole, Rules()), strict=True)
    return {one.series_id: base.sd for one, base in known if base is not None}


def usable(session: Session) -> bool:
    """Whether a session has a value that counts."""
    return session.level is not None and session.level > 0


def kind_of(key: SeriesKey) -> str:
    """What series must have in common to suffer alike from a machine's moods."""
    return f"{key.metric} on {key.device}"


def speed(key: SeriesKey, session: Session) -> float:
    """The logarithm of a session's level, turned so that more is better. Only for usable sessions."""
    return (1.0 if key.higher_is_better else -1.0) * math.log(session.level or math.nan)


def variants_of(keys: Sequence[SeriesKey]) -> dict[str, str]:
    """Per series: the axes in which it differs from others of its model, device and test, as the config writes them."""
    groups: dict[tuple[str, str, str, str], list[SeriesKey]] = {}
    for key in keys:
        groups.setdefault((key.model, key.device, key.test, key.metric), []).append(key)
    return {key.series_id: _variant(key, group) for group in groups.values() for key in group}


def _variant(key: SeriesKey, group: Sequence[SeriesKey]) -> str:
    names = sorted({name for other in group for name in other.axes})
    differing = [name for name in names if len({axis_text(name, other.axes) for other in group}) > 1]
    engine = [f"engine={key.engine}"] if len({other.engine for other in group}) > 1 else []
    return " ".join([*engine, *(f"{name}={axis_text(name, key.axes)}" for name in differing)])


def axis_text(name: str, axes: Mapping[str, object]) -> str:
    """An axis's value as the config writes it."""
    value = axes.get(name)
    return say_value(name, tuple(value) if isinstance(value, list) else value)


def _rates(entry: RunEntry, device: str) -> dict[str, float]:
    """The logarithms of a session's rates: a card's own, or all that are no card's."""
    cards = {name: name.rpartition(", ")[2] for name in entry.rates}
    wanted = {name for name, of in cards.items() if (of == device if "cuda" in device else "cuda" not in of)}
    return {name: math.log(entry.rates[name]) for name in wanted if entry.rates[name] > 0}


def _tonight(entries: Sequence[RunEntry], run: str | None) -> RunEntry:
    if run is not None:
        found = next((entry for entry in entries if entry.run == run), None)
        if found is None:
            raise ResultError(f"{run}: holds no readable result. `harness show` lists the runs there are.")
        if found.rerun_of:
            raise ResultError(f"{run}: is a re-run of suspects of {found.rerun_of}; judge that run.")
        return found
    nights = [entry for entry in entries if entry.is_night]
    if not nights:
        raise ResultError("no run to judge yet. `harness run CONFIG` makes one.")
    return nights[-1]


def _track(recorded: RecordedSeries, variant: str, nights: Sequence[RunEntry]) -> Track:
    by_run: dict[str, list[Session]] = {}
    for session in recorded.sessions:
        by_run.setdefault(session.rerun_of or session.run, []).append(session)
    sessions = {run: _first_then_again(found) for run, found in by_run.items()}
    *earlier, tonight = nights
    first, *again = sessions[tonight.run]
    return Track(
        recorded.key,
        variant,
        tuple((night, tuple(sessions[night.run])) for night in earlier if night.run in sessions),
        first,
        tuple(again),
    )


def _first_then_again(sessions: Sequence[Session]) -> list[Session]:
    return [s for s in sessions if not s.rerun_of][:1] + [s for s in sessions if s.rerun_of]


def _nights(track: Track, baseline: Found | None) -> SeriesNights | None:
    if not usable(track.tonight):
        return None
    chosen = baseline.run.run if baseline is not None and baseline.pinned else ""
    itself = [(track.tonight.run, (track.tonight,))] if chosen == track.tonight.run else []
    recorded = [(run.run, sessions) for run, sessions in track.nights] + itself
    counted = [(run, [s for s in sessions if usable(s)]) for run, sessions in recorded]
    nights = [(run, sessions) for run, sessions in counted if sessions and not sessions[0].rerun_of]
    values = tuple(tuple(speed(track.key, s) for s in sessions) for _, sessions in nights)
    names = tuple(tuple(s.run for s in sessions) for _, sessions in nights)
    pinned = tuple(place for place, (run, _) in enumerate(nights) if run == chosen)
    tonight = speed(track.key, track.tonight)
    return SeriesNights(track.key.series_id, values, tonight, pinned, kind_of(track.key), names)
