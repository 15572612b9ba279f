"""The two sides of a comparison: a run, a file, a commit or the baseline, each as measures of series."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.evidence import axis_text
from harness.errors import ResultError
from harness.records.record import Record
from harness.store.baselines import baseline_of, chosen
from harness.store.commits import Repository
from harness.store.imports import LARGEST_BYTES, read_results
from harness.store.index import Index
from harness.store.measures import Measure, measures
from harness.store.runs import INFO, find_run, read_record, read_run
from harness.store.sessions import RunEntry, run_entries

BASELINE = "baseline"


@dataclass(frozen=True)
class Side:
    """What one argument means: a name for the heading, and every session's measures; what of it could not be used."""

    name: str
    measures: tuple[Measure, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matched:
    """Measures of equal columns. `sides`: columns in which the sides as wholes differ; `alone`: how many are left."""

    rows: tuple[tuple[Mapping[str, str], tuple[Measure, ...], tuple[Measure, ...]], ...]
    sides: Mapping[str, tuple[str, str]]
    alone: tuple[int, int]


class Sides:
    """Resolves arguments; opens the index only where a commit or the baseline is asked for."""

    def __init__(self, results: Path, index: Index, repository: Repository) -> None:
        self.results, self.index, self.repository = results, index, repository

    def side(self, asked: str, other: str = "") -> Side:
        """A file, a run, a commit, or `baseline`: the run `other` is held against. Errors: ResultError."""
        path = Path(asked)
        if path.is_file():
            return _file(path)
        if asked == BASELINE:
            return self._baseline(other)
        if (path / INFO).is_file() or any(self.results.glob(f"*{asked}*/{INFO}")):
            run = read_run(asked, self.results)
            return Side(run.path.name, _of(run.records))
        entries = [e for e in run_entries(self.index) if any(commit.startswith(asked) for commit in e.commits)]
        if not entries:
            raise ResultError(f"{asked}: no file, run or commit with results here. `harness show` lists the runs.")
        return self._runs(f"{asked} ({len(entries)} runs)", entries)

    def _baseline(self, other: str) -> Side:
        name = find_run(other, self.results).name if other else ""
        entries = run_entries(self.index)
        run = next((entry for entry in entries if entry.run == name), None)
        if run is None:
            raise ResultError("`baseline` means what a run is held against: name that run as the other side")
        found = baseline_of(run, entries, chosen(self.results), self.repository)
        if found is None:
            raise ResultError(f"{run.run}: nothing earlier was measured on such a machine, so it has no baseline yet")
        return self._runs(f"{found.run.run} ({found.how})", [found.run])

    def _runs(self, name: str, entries: Sequence[RunEntry]) -> Side:
        found = (record for entry in entries for record in read_run(entry.run, self.results).records)
        return Side(name, _of(found))


def match(a: Side, b: Side) -> Matched:
    """Join the sides on every column but those in which each side has one value and they differ."""
    left, right = _grouped(a.measures), _grouped(b.measures)
    values = [{name: {columns[name] for columns, _ in side} for name in _names(side)} for side in (left, right)]
    names = [name for name in values[0] if name in values[1]]
    apart = {n for n in names if len(values[0][n]) == 1 == len(values[1][n]) and values[0][n] != values[1][n]}
    keys = [name for name in names if name not in apart]
    by_key = {tuple(columns[name] for name in keys): found for columns, found in right}
    rows, used = [], set()
    for columns, found in left:
        key = tuple(columns[name] for name in keys)
        if key in by_key:
            used.add(key)
            rows.append(({name: columns[name] for name in keys}, found, by_key[key]))
    sides = {name: (next(iter(values[0][name])), next(iter(values[1][name]))) for name in names if name in apart}
    return Matched(tuple(rows), sides, (len(left) - len(rows), len(right) - len(used)))


def _names(side: Sequence[tuple[Mapping[str, str], tuple[Measure, ...]]]) -> list[str]:
    return list(dict.fromkeys(name for columns, _ in side for name in columns))


def _grouped(found: Sequence[Measure]) -> list[tuple[Mapping[str, str], tuple[Measure, ...]]]:
    """The sessions of every series that have a value."""
    groups: dict[str, list[Measure]] = {}
    for measure in found:
        if measure.level is not None and measure.level > 0:
            groups.setdefault(measure.key.series_id, []).append(measure)
    return [(columns_of(group[0]), tuple(group)) for group in groups.values()]


def columns_of(measure: Measure) -> Mapping[str, str]:
    """Everything that tells a series from another, as text."""
    key = measure.key
    named = {
        "model": key.model,
        "engine": key.engine,
        "device": key.device,
        "machine": key.device_class,
        "test": " ".join(filter(None, (key.test, key.metric_note))),
    }
    return named | {name: axis_text(name, key.axes) for name in key.axes}


def _file(path: Path) -> Side:
    if path.name.startswith("case-") and path.suffix == ".json":
        return Side(path.name, _of([read_record(path)]))
    with path.open("rb") as file:
        imported = read_results(file.read(LARGEST_BYTES + 1), path.name)
    return Side(path.name, _of(imported.records), imported.warnings)


def _of(records: Iterable[Record]) -> tuple[Measure, ...]:
    return tuple(measure for record in records for measure in measures(record))
