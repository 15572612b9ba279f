"""What the gate found, for a terminal, a pull request's comment and a build server: a headline, tables, JUnit."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from harness.records.history import Commit, History, Series
from harness.report import numbers
from harness.report.blocks import Block, Document, Prose, Section
from harness.report.markdown import escape, table_markdown
from harness.report.nightly import MOODS, SIGNS, by_gravity
from harness.report.table import Column, Table, Tone, named_rows, number, words
from harness.report.text import clean

QUIET = ("SAME", "NO BASELINE")
TONES: dict[str, Tone] = {"good": "good", "bad": "bad", "warn": "warn", "quiet": "quiet", "": ""}


def headline(history: History) -> str:
    """The outcome in one sentence, the worst first."""
    n = len(history.series)
    slower = [s for s in by_gravity(history.series) if s.verdict == "SLOWER"]
    if slower:
        return f"{len(slower)} of {n} series slower than the baseline."
    unsure = [s for s in history.series if s.verdict in {"CANNOT TELL", "FAILED", "INVALID"}]
    if unsure:
        return f"No regression found; {len(unsure)} of {n} series could not be judged."
    judged = [s for s in history.series if s.verdict != "NO BASELINE"]
    if not judged:
        return "Nothing to compare with yet: too few earlier nights on such a machine."
    return f"No regression in {len(judged)} series."


def gate_tables(series: Sequence[Series], key: str = "gate") -> tuple[Table, ...]:
    """A table per model and device, those with the worst verdict first: a row a series with its change and verdict."""
    groups: dict[str, list[Series]] = {}
    for one in by_gravity(series):
        groups.setdefault(f"{one.model}, {one.device}", []).append(one)
    return tuple(_table(f"{key}-{number}", name, group) for number, (name, group) in enumerate(groups.items(), 1))


def _table(key: str, caption: str, series: Sequence[Series]) -> Table:
    columns = (
        Column("test", "text"),
        Column("variant", "text"),
        Column("verdict", "text"),
        Column("speed [95 %]"),
        Column("now"),
        Column("because", "text"),
    )
    rows = tuple(
        (
            words(s.test),
            words(s.variant),
            words(f"{SIGNS.get(s.verdict, '')} {s.verdict}".strip(), TONES[MOODS[s.verdict]]),
            number(s.ratio, _change(s)),
            number(s.points[-1].value, _now(s)),
            words(s.reason),
        )
        for s in series
    )
    used = [place for place in range(len(columns)) if place == 0 or any(row[place].text for row in rows)]
    kept = tuple(tuple(row[place] for place in used) for row in rows)
    return Table(key, caption, tuple(columns[place] for place in used), kept, n_keys=sum(place < 2 for place in used))


def gate_document(history: History, between: Sequence[Commit] = ()) -> Document:
    """The same for a terminal: the series that are not quiet, or all that were judged where all are."""
    history, between = clean(history), clean(tuple(between))
    loud = [s for s in history.series if s.verdict not in QUIET]
    shown = loud or [s for s in history.series if s.verdict != "NO BASELINE"]
    mood = MOODS[by_gravity(history.series)[0].verdict] if history.series else ""
    blocks: list[Block] = [Prose(headline(history), mood), *gate_tables(shown)]
    if len(shown) < len(history.series):
        blocks.append(Prose(f"{len(history.series) - len(shown)} quiet series are not shown.", "quiet"))
    if between:
        pairs = [(c.commit, c.subject) for c in between]
        blocks.append(named_rows("commits", "since the baseline", ("commit", "subject"), pairs))
    section = Section("gate", "Gate", "Gate", tuple(blocks), brief=True)
    return Document(history.title, _when(history), (), (), (), (section,))


def gate_markdown(history: History, between: Sequence[Commit] = ()) -> str:
    """A pull request's comment: the headline, what is not quiet, and all the rest folded away."""
    history, between = clean(history), clean(tuple(between))
    loud = [s for s in history.series if s.verdict not in QUIET]
    quiet = [s for s in history.series if s.verdict in QUIET]
    mark = "🔴" if any(s.verdict == "SLOWER" for s in history.series) else "🟢"
    parts = [f"### {mark} {escape(headline(history))}", escape(f"{history.title}, {_when(history)}")]
    parts += _titled(loud)
    if between:
        listed = "\n".join(f"* `{escape(c.commit)}` {escape(c.subject)}" for c in between)
        parts.append(f"Commits since the baseline:\n\n{listed}")
    if quiet:
        inner = "\n\n".join(_titled(quiet))
        parts.append(f"<details><summary>{len(quiet)} quiet series</summary>\n\n{inner}\n\n</details>")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _titled(series: Sequence[Series]) -> list[str]:
    return [f"**{escape(table.caption)}**\n\n{table_markdown(table)}" for table in gate_tables(series)]


def gate_junit(history: History) -> str:
    """A JUnit file: a regression is a failure, a case without a valid value an error, what cannot be told skipped."""
    history = clean(history)
    suite = ET.Element("testsuite", name=f"harness gate: {_xml(history.title)}", timestamp=_xml(history.newest))
    counts = {"failure": 0, "error": 0, "skipped": 0}
    for series in by_gravity(history.series):
        case = ET.SubElement(
            suite, "testcase", classname=_xml(f"{series.model}.{series.device}"), name=_xml(_name(series))
        )
        kind = _JUNIT.get(series.verdict)
        if kind:
            counts[kind] += 1
            ET.SubElement(case, kind, message=_xml(f"{series.verdict}: {_sentence(series)}"))
        ET.SubElement(case, "system-out").text = _xml(_sentence(series))
    suite.set("tests", str(len(history.series)))
    suite.set("failures", str(counts["failure"]))
    suite.set("errors", str(counts["error"]))
    suite.set("skipped", str(counts["skipped"]))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _when(history: History) -> str:
    """The night, and what it is held against."""
    against = max((series.baseline for series in history.series), key=len, default="")
    return f"{history.newest}, against {against}" if against else history.newest


_JUNIT = {
    "SLOWER": "failure",
    "INVALID": "error",
    "FAILED": "error",
    "CANNOT TELL": "skipped",
    "NO BASELINE": "skipped",
    "ACKNOWLEDGED": "skipped",
}


def _name(series: Series) -> str:
    return " ".join(filter(None, (series.test, series.variant)))


def _sentence(series: Series) -> str:
    change = _change(series)
    parts = [f"{change} against {series.baseline or 'the baseline'}"] if change else []
    parts += [series.reason] if series.reason else []
    if series.points and series.points[-1].value is not None:
        parts.append(f"now {_now(series)}")
    return "; ".join(parts)


def _change(series: Series) -> str:
    if series.ratio is None or series.low is None or series.high is None:
        return ""
    return f"{numbers.change(series.ratio)} {numbers.change_interval(series.low, series.high)}"


def _now(series: Series) -> str:
    value = series.points[-1].value
    return (
        ""
        if value is None
        else f"{numbers.significant(value) if value < 100 else numbers.fixed(value, 1)} {series.unit}"
    )


def _xml(text: str) -> str:
    """Text without the characters XML 1.0 cannot hold at all."""
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\N{REPLACEMENT CHARACTER}", text)
