"""Series and their sessions as the index has them: what comparisons, the gate and the history are made from.

Imported results are left out unless asked for: nobody's baseline is a file that somebody sent.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Select, select

from harness.records.history import PointState
from harness.store.database import reading
from harness.store.index import Index
from harness.store.measures import SeriesKey
from harness.store.schema import RECORDS, RUNS, SERIES, SESSIONS


@dataclass(frozen=True)
class Session:
    """One process's value of a series; None where it has none. `rerun_of` names the run whose suspect it was.

    `value` is the samples' mean, for showing; `level` what the session is compared by (measures.Measure).
    """

    run: str
    case_id: str
    started: str
    commit: str
    value: float | None
    level: float | None
    sd: float | None
    n_samples: int
    state: PointState
    note: str
    rerun_of: str


@dataclass(frozen=True)
class RecordedSeries:
    """A series with its sessions, oldest first."""

    key: SeriesKey
    sessions: tuple[Session, ...]


@dataclass(frozen=True)
class RunEntry:
    """A run as the index has it. `commits`: those of its records, the most frequent first.

    `rates`: what its machine could multiply at most, per second by name. `harness_commit`: of the harness itself,
    whatever engine the records are of.
    """

    run: str
    started: str
    config_name: str
    device_class: str
    commits: tuple[str, ...]
    rerun_of: str
    imported: bool
    experiment: str = ""
    rates: Mapping[str, float] = field(default_factory=dict)
    harness_commit: str = ""

    @property
    def is_night(self) -> bool:
        """Whether others may be held against it unasked: measured here, no experiment, no re-run."""
        return not (self.imported or self.rerun_of or self.experiment)


def series(
    index: Index, *, metrics: Sequence[str] = (), runs: Sequence[str] | None = None, imported: bool = False
) -> tuple[RecordedSeries, ...]:
    """All series of `metrics` (all by default) with their sessions in `runs` (all by default)."""
    query = _query()
    if metrics:
        query = query.where(SERIES.c.metric.in_(metrics))
    if runs is not None:
        query = query.where(RUNS.c.run.in_(runs))
    if not imported:
        query = query.where(RECORDS.c.imported_from == "")
    with reading(index.engine) as connection:
        rows = connection.execute(query).all()
    keys: dict[str, SeriesKey] = {}
    found: dict[str, list[Session]] = {}
    for row in rows:
        if row.series_id not in keys:
            axes = json.loads(row.axes)
            keys[row.series_id] = SeriesKey(
                row.model, row.engine, row.device, row.device_class, row.test, row.metric, axes
            )
        found.setdefault(row.series_id, []).append(
            Session(
                row.run,
                row.case_id,
                row.started,
                row.commit,
                row.value,
                row.level,
                row.sd,
                row.n_samples,
                row.state,
                row.note,
                row.rerun_of,
            )
        )
    return tuple(RecordedSeries(keys[name], tuple(sessions)) for name, sessions in found.items())


def run_entries(index: Index) -> tuple[RunEntry, ...]:
    """All runs, oldest first."""
    query = select(RUNS, RECORDS.c.commit, RECORDS.c.imported_from).outerjoin(RECORDS, RECORDS.c.run == RUNS.c.run)
    with reading(index.engine) as connection:
        rows = connection.execute(query.order_by(RUNS.c.started, RUNS.c.run)).all()
    commits: dict[str, list[str]] = {}
    for row in rows:
        commits.setdefault(row.run, []).extend([row.commit] if row.commit else [])
    last = {row.run: row for row in rows}
    return tuple(
        RunEntry(
            row.run,
            row.started,
            row.config_name,
            row.device_class,
            tuple(sorted(set(commits[run]), key=lambda commit: (-commits[run].count(commit), commit))),
            row.rerun_of,
            bool(row.imported_from),
            row.experiment,
            json.loads(row.rates),
            row.harness_commit,
        )
        for run, row in last.items()
    )


def _query() -> Select[tuple[object, ...]]:
    columns = (
        SERIES,
        SESSIONS.c.value,
        SESSIONS.c.level,
        SESSIONS.c.sd,
        SESSIONS.c.n_samples,
        SESSIONS.c.state,
        SESSIONS.c.note,
        RUNS.c.run,
        RUNS.c.started,
        RUNS.c.rerun_of,
        RECORDS.c.case_id,
        RECORDS.c.commit,
    )
    joined = (
        select(*columns)
        .join(SESSIONS, SESSIONS.c.series_id == SERIES.c.series_id)
        .join(RECORDS, RECORDS.c.id == SESSIONS.c.record)
        .join(RUNS, RUNS.c.run == RECORDS.c.run)
    )
    return joined.order_by(RUNS.c.started, RUNS.c.run, SESSIONS.c.id)
