"""What the gate found, for a terminal, a pull request's comment and a build server: one table, one headline, JUnit."""

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


def gate_table(series: Sequence[Series], key: str = "gate", caption: str = "") -> Table:
    """One row a series: what it is, the verdict, the change with its interval, now and before."""
    columns = (
        Column("series", "text"),
        Column("test", "text"),
        Column("variant", "text"),
        Column("verdict", "text"),
        Column("speed against the baseline"),
        Column("95 % interval"),
        Column("now"),
        Column("because", "text"),
    )
    rows = tuple(
        (
            words(f"{s.model}, {s.device}"),
            words(s.test),
            words(s.variant),
            words(f"{SIGNS.get(s.verdict, '')} {s.verdict}".strip(), TONES[MOODS[s.verdict]]),
            number(s.ratio, numbers.change(s.ratio) if s.ratio is not None else ""),
            words(numbers.change_interval(s.low, s.high) if s.low is not None and s.high is not None else ""),
            number(s.points[-1].value, _now(s)),
            words(s.reason),
        )
        for s in by_gravity(series)
    )
    return Table(key, caption, columns, rows, n_keys=3)


def gate_document(history: History, between: Sequence[Commit] = ()) -> Document:
    """The same for a terminal: the series that are not quiet, or all where all are."""
    history, between = clean(history), clean(tuple(between))
    loud = [s for s in history.series if s.verdict not in QUIET]
    mood = MOODS[by_gravity(history.series)[0].verdict] if history.series else ""
    blocks: list[Block] = [Prose(headline(history), mood), gate_table(loud or history.series)]
    if loud and len(loud) < len(history.series):
        blocks.append(Prose(f"{len(history.series) - len(loud)} quiet series are not shown.", "quiet"))
    if between:
        listed = named_rows(
            "commits", "since the baseline", ("commit", "subject"), [(c.commit, c.subject) for c in between]
        )
        blocks.append(listed)
    section = Section("gate", "Gate", "Gate", tuple(blocks), brief=True)
    return Document(history.title, _when(history), (), (), (), (section,))


def gate_markdown(history: History, between: Sequence[Commit] = ()) -> str:
    """A pull request's comment: the headline, what is not quiet, and all the rest folded away."""
    history, between = clean(history), clean(tuple(between))
    loud = [s for s in history.series if s.verdict not in QUIET]
    quiet = [s for s in history.series if s.verdict in QUIET]
    mark = {True: "🔴", False: "🟢"}[any(s.verdict == "SLOWER" for s in history.series)]
    parts = [f"### {mark} {escape(headline(history))}", escape(f"{history.title}, {_when(history)}")]
    if loud:
        parts.append(table_markdown(gate_table(loud)))
    if between:
        listed = "\n".join(f"* `{escape(c.commit)}` {escape(c.subject)}" for c in between)
        parts.append(f"Commits since the baseline:\n\n{listed}")
    if quiet:
        inner = table_markdown(gate_table(quiet))
        parts.append(f"<details><summary>{len(quiet)} quiet series</summary>\n\n{inner}\n\n</details>")
    return "\n\n".join(part.strip() for part in parts) + "\n"


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
    parts = []
    if series.ratio is not None and series.low is not None and series.high is not None:
        interval = numbers.change_interval(series.low, series.high)
        parts.append(f"{numbers.change(series.ratio)} {interval} against {series.baseline or 'the baseline'}")
    parts += [series.reason] if series.reason else []
    if series.points and series.points[-1].value is not None:
        parts.append(f"now {_now(series)}")
    return "; ".join(parts)


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
