"""Two results side by side in text: what differs between them as wholes, then a row per test with ratio and verdict."""

from harness.records.comparison import Comparison
from harness.report import numbers
from harness.report.blocks import Block, Document, Prose, Section
from harness.report.nightly import MOODS, SIGNS
from harness.report.table import Column, Table, Tone, named_rows, number, words
from harness.report.text import clean

TONES: dict[str, Tone] = {"good": "good", "bad": "bad", "warn": "warn", "quiet": "quiet", "": ""}


def comparison_document(found: Comparison) -> Document:
    """The comparison as a document."""
    found = clean(found)
    blocks: list[Block] = []
    if found.differ:
        pairs = [(name, f"{a or '-'} → {b or '-'}") for name, (a, b) in found.differ.items()]
        blocks.append(named_rows("differ", "between the sides as wholes", ("what differs", "from A to B"), pairs))
    same = [
        (name, found.rows[0].columns[name]) for name in ("model", "engine", "device") if len(_values(found, name)) == 1
    ]
    blocks.append(named_rows("same", "", ("the same on both sides", ""), same))
    blocks.append(comparison_table(found))
    blocks += [Prose(f"Intervals rest on {basis}.", "quiet") for basis in sorted({row.basis for row in found.rows})]
    if any(found.alone):
        blocks.append(Prose(f"Without a counterpart: {found.alone[0]} series of A, {found.alone[1]} of B.", "quiet"))
    section = Section("comparison", "Comparison", "Comparison", tuple(blocks), brief=True)
    return Document(f"{found.a} against {found.b}", _summary(found), (), (), (), (section,))


def comparison_table(found: Comparison) -> Table:
    """One row a series: the columns that differ between rows, both values, the speed of B over A, the verdict."""
    shown = [name for name in _names(found) if name == "test" or len(_values(found, name)) > 1]
    columns = (
        *(Column(name, "text") for name in shown),
        Column("A"),
        Column("B"),
        Column("speed B / A [99 %]"),
        Column("verdict", "text"),
        Column("sessions", "text"),
    )
    rows = tuple(
        (
            *(words(row.columns.get(name, "")) for name in shown),
            number(row.a, _value(row.a, row.unit)),
            number(row.b, _value(row.b, row.unit)),
            number(row.ratio, f"{numbers.change(row.ratio)} {numbers.change_interval(row.low, row.high)}"),
            words(f"{SIGNS[row.verdict]} {row.verdict}", TONES[MOODS[row.verdict]]),
            words(f"{row.sessions[0]} / {row.sessions[1]}"),
        )
        for row in found.rows
    )
    return Table("comparison", "", columns, rows, n_keys=len(shown))


def _values(found: Comparison, name: str) -> set[str | None]:
    return {row.columns.get(name) for row in found.rows}


def _names(found: Comparison) -> list[str]:
    return list(dict.fromkeys(name for row in found.rows for name in row.columns))


def _value(value: float, unit: str) -> str:
    return f"{numbers.significant(value) if value < 100 else numbers.fixed(value, 1)} {unit}"


def _summary(found: Comparison) -> str:
    counts = [(verdict, sum(row.verdict == verdict for row in found.rows)) for verdict in ("SLOWER", "FASTER", "SAME")]
    told = ", ".join(f"{n} {verdict.lower()}" for verdict, n in counts if n)
    unsure = sum(row.verdict == "CANNOT TELL" for row in found.rows)
    return "; ".join(filter(None, (told, f"{unsure} cannot be told" if unsure else ""))) + f", of {len(found.rows)}"
