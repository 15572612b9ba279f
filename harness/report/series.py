"""Series over time in text: a line per series with its course, then its steps and the commits behind them."""

from collections.abc import Mapping, Sequence

from harness.records.history import ChangePoint, Commit, History, Series
from harness.report import numbers
from harness.report.blocks import Block, Document, Prose, Section
from harness.report.table import Cell, Column, Table, number, words
from harness.report.terminal import sparkline
from harness.report.text import clean

Around = Mapping[tuple[str, str], Sequence[Commit]]
MOST_POINTS = 60


def series_document(history: History, around: Around) -> Document:
    """The series of a history and their steps. `around`: the commits between a step's two sides, newest first."""
    history = clean(history)
    steps = _steps(history.series, around)
    groups: dict[str, list[Series]] = {}
    for one in history.series:
        groups.setdefault(f"{one.model}, {one.device}", []).append(one)
    blocks: list[Block] = [_courses(f"courses-{n}", name, group) for n, (name, group) in enumerate(groups.items(), 1)]
    blocks += [steps] if steps.rows else [Prose("No step in any series.", "quiet")]
    section = Section("series", "Series", "Series", tuple(blocks), brief=True)
    return Document(history.title, history.newest, (), (), (), (section,))


def _courses(key: str, caption: str, series: Sequence[Series]) -> Table:
    columns = (
        Column("test", "text"),
        Column("variant", "text"),
        Column("nights"),
        Column("first"),
        Column("newest"),
        Column("course", "text"),
    )
    rows = tuple(
        (
            words(s.test),
            words(s.variant),
            number(len(s.points), str(len(s.points))),
            *_ends(s),
            words(_course(s)),
        )
        for s in series
    )
    return Table(key, caption, columns, rows, n_keys=2)


def _ends(series: Series) -> tuple[Cell, Cell]:
    values = [point.value for point in series.points if point.value is not None]
    ends = (values[0], values[-1]) if values else (None, None)
    first, newest = (number(v, "" if v is None else f"{numbers.significant(v)} {series.unit}") for v in ends)
    return first, newest


def _course(series: Series) -> str:
    values = [point.value for point in series.points if point.value is not None][-MOST_POINTS:]
    return sparkline(values, min(values), max(values)) if values else ""


def _steps(series: Sequence[Series], around: Around) -> Table:
    columns = (
        Column("series", "text"),
        Column("since", "text"),
        Column("speed [95 %]"),
        Column("chance"),
        Column("commits", "text"),
    )
    rows = tuple(
        (
            words(" ".join(filter(None, (s.model, s.device, s.test, s.variant)))),
            words(f"{s.points[change.index].time[:10]}, {change.commit_after}"),
            number(change.ratio, _size(change), "good" if change.ratio > 1 else "bad"),
            number(change.p_value, f"{change.p_value:.3f}" if change.p_value is not None else ""),
            words(_commits(change, around)),
        )
        for s in series
        for change in s.changes
    )
    return Table("steps", "steps, with the commits between the two sides", columns, rows)


def _size(change: ChangePoint) -> str:
    return f"{numbers.change(change.ratio)} {numbers.change_interval(change.low, change.high)}"


def _commits(change: ChangePoint, around: Around) -> str:
    found = around.get((change.commit_before, change.commit_after), ())
    told = "; ".join(f"{commit.commit} {commit.subject}" for commit in clean(tuple(found))[:5])
    more = f"; {len(found) - 5} more" if len(found) > 5 else ""
    return told + more or f"{change.commit_before} to {change.commit_after}"
