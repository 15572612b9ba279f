"""The nightly page: every series as a small multiple, those that matter most first, filtered in the browser."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.records.history import ChangePoint, Commit, History, Series
from harness.report import numbers
from harness.report.blocks import Mood, Prose
from harness.report.html import render_template, write_page
from harness.report.sparkline import Sparkline, sparkline
from harness.report.table import Cell, Column, Table, nothing, number, words
from harness.report.text import clean

GRAVITY = ("SLOWER", "INVALID", "FAILED", "CANNOT TELL", "ACKNOWLEDGED", "FASTER", "SAME", "NO BASELINE")
"""What a reader must see first."""

MOODS: dict[str, Mood] = {
    "SLOWER": "bad",
    "INVALID": "bad",
    "FAILED": "bad",
    "CANNOT TELL": "warn",
    "ACKNOWLEDGED": "quiet",
    "FASTER": "good",
    "SAME": "",
    "NO BASELINE": "quiet",
}
SIGNS = {"SLOWER": "▼", "FASTER": "▲", "SAME": "=", "CANNOT TELL": "?", "INVALID": "✕", "FAILED": "✕"}


@dataclass(frozen=True)
class Step:
    """One change point in words."""

    amount: str
    mood: Mood
    told: str


@dataclass(frozen=True)
class Card:
    """One series as the page shows it."""

    key: str
    series: Series
    verdict: str
    mood: Mood
    sign: str
    change: str
    figure: Sparkline | None
    about: str
    top: str
    bottom: str
    span: tuple[str, str]
    alt: str
    steps: tuple[Step, ...]
    points: Table


def write_history(history: History, out_dir: Path) -> Path:
    """The nightly page as `out_dir`/index.html; the path written."""
    return write_page(render_history(history), out_dir)


def render_history(history: History) -> str:
    """The nightly page."""
    history = clean(history)
    subjects = {commit.commit: commit for commit in history.commits}
    ordered = by_gravity(history.series)
    return render_template(
        "nightly.html.jinja",
        ("page.js", "nightly.js"),
        f"{history.title} · harness",
        history=history,
        cards=[_card(place, series, subjects) for place, series in enumerate(ordered)],
        counts=[
            (verdict, MOODS[verdict], n) for verdict in GRAVITY if (n := sum(s.verdict == verdict for s in ordered))
        ],
        culprits=culprits(ordered, subjects),
        choices={
            "model": _choices(s.model for s in ordered),
            "device": _choices(s.device for s in ordered),
            "test": _choices(s.test for s in ordered),
            "verdict": tuple(v for v in GRAVITY if any(s.verdict == v for s in ordered)),
        },
        nothing=Prose("There is no series yet: `harness run` makes results, a nightly job makes a history.", "warn"),
    )


def by_gravity(series: Sequence[Series]) -> tuple[Series, ...]:
    """By verdict, then by the size of the effect, then by name."""
    return tuple(sorted(series, key=lambda s: (GRAVITY.index(s.verdict), -_size(s), s.model, s.test, s.variant)))


def culprits(series: Sequence[Series], subjects: dict[str, Commit]) -> Table | None:
    """The commits around the change points, those that made most series worse first; None without a change."""
    changes: dict[str, list[tuple[Series, ChangePoint]]] = {}
    for one in series:
        for change in one.changes:
            changes.setdefault(change.commit_after, []).append((one, change))
    if not changes:
        return None
    rows = []
    for commit, found in changes.items():
        worse = [change.ratio for _, change in found if change.ratio < 1]
        better = [change.ratio for _, change in found if change.ratio > 1]
        known = subjects.get(commit, Commit(commit))
        rows.append(
            (
                words(_short(commit)),
                words(known.subject),
                words(known.time[:10]),
                number(len(worse), str(len(worse)), "bad" if worse else ""),
                _extreme(min(worse, default=None)),
                number(len(better), str(len(better)), "good" if better else ""),
                _extreme(max(better, default=None)),
            )
        )
    rows.sort(key=lambda row: (-(row[3].value or 0), -(row[5].value or 0)))
    heads = ("commit", "subject", "date")
    figures = ("series made slower", "most", "series made faster", "most")
    columns = (*(Column(head, "text") for head in heads), *map(Column, figures))
    return Table("culprits", "Commits after which a series changed", columns, tuple(rows))


def _card(place: int, series: Series, subjects: dict[str, Commit]) -> Card:
    figure = sparkline(series)
    return Card(
        key=f"s{place}",
        series=series,
        verdict=series.verdict,
        mood=MOODS[series.verdict],
        sign=SIGNS.get(series.verdict, "·"),
        change="" if series.ratio is None else _of_value(series, series.ratio, series.low, series.high),
        figure=figure,
        about=_about(series),
        span=(series.points[0].time[:10], series.points[-1].time[:10]) if series.points else ("", ""),
        top=numbers.significant(figure.top) if figure else "",
        bottom=numbers.significant(figure.bottom) if figure else "",
        alt=_alt(series),
        steps=tuple(_step(series, change, subjects) for change in series.changes),
        points=_points(f"s{place}-points", series),
    )


def _about(series: Series) -> str:
    metric = "" if series.test.startswith(series.metric) else series.metric
    return " · ".join(part for part in (series.test, metric, series.variant, series.device) if part)


def _of_value(series: Series, ratio: float, low: float | None, high: float | None) -> str:
    """A ratio of speeds as the change of what the drawing shows: seconds or bytes fall where speed rises."""
    if not series.higher_is_better:
        ratio, low, high = 1 / ratio, 1 / high if high else None, 1 / low if low else None
    interval = f" {numbers.change_interval(low, high)} %" if low is not None and high is not None else ""
    return f"{numbers.change(ratio)}{interval}"


def _step(series: Series, change: ChangePoint, subjects: dict[str, Commit]) -> Step:
    subject = subjects.get(change.commit_after, Commit("")).subject
    told = f"after {_short(change.commit_before)}, at {_short(change.commit_after)}"
    parts = (
        told,
        subject,
        "" if change.confirmed else "not confirmed",
        change.acknowledged and f"accepted: {change.acknowledged}",
    )
    return Step(
        _of_value(series, change.ratio, change.low, change.high),
        "good" if change.ratio > 1 else "bad",
        ", ".join(part for part in parts if part),
    )


def _points(key: str, series: Series) -> Table:
    columns = (Column("time", "text"), Column("commit", "text"), Column(series.unit), Column("state", "text"))
    rows = tuple(
        (
            words(point.time[:16]),
            words(_short(point.commit)),
            nothing() if point.value is None else number(point.value, numbers.significant(point.value)),
            words(", ".join(part for part in (point.state if point.state != "ok" else "", point.note) if part), "warn"),
        )
        for point in reversed(series.points)
    )
    return Table(key, "Sessions, newest first", columns, rows)


def _alt(series: Series) -> str:
    measured = [point.value for point in series.points if point.value is not None]
    if not measured:
        return "Nothing was measured yet."
    return (
        f"{len(measured)} sessions, from {numbers.significant(measured[0])} to {numbers.significant(measured[-1])} "
        f"{series.unit}, with {len(series.changes)} change{'s' if len(series.changes) != 1 else ''}."
    )


def _size(series: Series) -> float:
    return abs(series.ratio - 1) if series.ratio is not None else 0.0


def _extreme(ratio: float | None) -> Cell:
    return nothing() if ratio is None else number(ratio, numbers.change(ratio))


def _choices(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _short(commit: str) -> str:
    return commit[:10] or "unknown"
