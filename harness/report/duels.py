"""What `harness ab` found: one verdict per row and value against the first value, as a table and as plain data.

Pairs are samples of the same round; a side that is INVALID or failed has a verdict that says so, and no speed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.records.axes import Axes
from harness.records.record import Record
from harness.records.timing import Row
from harness.report import numbers
from harness.report.speeds import is_valid, same_rounds
from harness.report.table import Cell, Column, Table, Tone, nothing, number, words
from harness.report.variants import axis_text
from harness.stats.paired import PairedResult, compare

TONES: dict[str, Tone] = {"FASTER": "good", "SLOWER": "bad", "CANNOT TELL": "warn"}


@dataclass(frozen=True)
class Duel:
    """One row of `other` against the same row of `base`. `result` is None where `verdict` is no measured one."""

    model: str
    setting: str
    test: str
    base: str
    other: str
    verdict: str
    why: str
    equivalence: str
    result: PairedResult | None = None
    base_per_s: float | None = None
    other_per_s: float | None = None


def duels(records: Sequence[Record]) -> tuple[Duel, ...]:
    """Every case against the first of its comparison, row by row, in the order of the config."""
    return tuple(
        duel
        for group in comparisons(records)
        for other in group[1:]
        for duel in _duels(group[0], other, group, records)
    )


def against_best(records: Sequence[Record]) -> tuple[Duel, ...]:
    """The first side of every comparison against the fastest of the others, row by row: ours over the best peer."""
    found = []
    for group in comparisons(records):
        per_row: dict[str, list[Duel]] = {}
        for other in group[1:]:
            for duel in _duels(other, group[0], group, records):
                per_row.setdefault(duel.test, []).append(duel)
        for same in per_row.values():
            measured = [(duel.result.ratio, duel) for duel in same if duel.result is not None]
            found += [min(measured, key=lambda pair: pair[0])[1]] if measured else []
    return tuple(found)


def comparisons(records: Sequence[Record]) -> tuple[tuple[Record, ...], ...]:
    """Records that share a comparison, the baseline first."""
    found: dict[str, list[Record]] = {}
    for record in records:
        if record.case.comparison:
            found.setdefault(record.case.comparison, []).append(record)
    return tuple(tuple(group) for group in found.values() if len(group) > 1)


def by_model(found: Sequence[Duel]) -> dict[str, list[Duel]]:
    """In order of first appearance."""
    models: dict[str, list[Duel]] = {}
    for duel in found:
        models.setdefault(duel.model, []).append(duel)
    return models


def duel_table(found: Sequence[Duel], caption: str) -> Table:
    """One line per duel of one model."""
    columns = (
        *(Column(head, "text") for head in ("setting", "test", "base")),
        Column("t/s"),
        Column("value", "text"),
        Column("t/s"),
        Column("change"),
        Column("99 % interval", "text"),
        Column("pairs"),
        Column("verdict", "text"),
        Column("logits", "text"),
    )
    return Table("duels", caption, columns, tuple(map(_line, found)), n_keys=2)


def _line(duel: Duel) -> tuple[Cell, ...]:
    result = duel.result
    interval = f"{numbers.change_interval(result.low, result.high, 2)} %" if result else duel.why
    return (
        *map(words, (duel.setting, duel.test, duel.base)),
        _rate(duel.base_per_s),
        words(duel.other),
        _rate(duel.other_per_s),
        nothing() if result is None else number(result.ratio, numbers.change(result.ratio, 2)),
        words(interval),
        nothing() if result is None else number(result.n_pairs, str(result.n_pairs)),
        words(_verdict_text(duel), TONES.get(duel.verdict, "bad" if result is None else "")),
        words(duel.equivalence),
    )


def _verdict_text(duel: Duel) -> str:
    if duel.result is not None and duel.result.needed:
        return f"{duel.verdict}, {numbers.settling(duel.result)}"
    return duel.verdict


def _rate(per_s: float | None) -> Cell:
    return nothing() if per_s is None else number(per_s, numbers.rate(per_s))


def _duels(base: Record, other: Record, group: Sequence[Record], records: Sequence[Record]) -> Iterable[Duel]:
    varying = [name for name in Axes.__dataclass_fields__ if len({getattr(r.case.axes, name) for r in group}) > 1]
    outer = [name for name in Axes.__dataclass_fields__ if len({getattr(r.case.axes, name) for r in records}) > 1]
    setting = _spoken(base, [name for name in outer if name not in varying])
    named = base.case.model.label, setting
    sides = _spoken(base, varying), _spoken(other, varying)
    equivalence = (other if other.equivalence.verdict != "not checked" else base).equivalence
    bad = next((record for record in (other, base) if not is_valid(record)), None)
    if bad is not None:
        yield Duel(*named, base.case.test.label, *sides, _word(bad), _why(bad), equivalence.verdict)
        return
    rows = {row.test: row for row in other.rows}
    for row in base.rows:
        if row.test in rows:
            yield _measured(named, sides, equivalence.verdict, row, rows[row.test])


def _measured(named: tuple[str, str], sides: tuple[str, str], equivalence: str, base: Row, other: Row) -> Duel:
    pairs = same_rounds(base, other)
    if not pairs:
        why = "no pair was undisturbed; end what else runs here, or allow more time"
        return Duel(*named, base.test, *sides, "CANNOT TELL", why, equivalence)
    a_ns, b_ns = [a.total_ns for a, _ in pairs], [b.total_ns for _, b in pairs]
    result = compare(a_ns, b_ns, [a.process for a, _ in pairs])
    tokens = base.n_prompt + base.n_gen
    speeds = [tokens * 1e9 * len(times) / sum(times) if tokens else None for times in (a_ns, b_ns)]
    return Duel(*named, base.test, *sides, result.verdict, base.stopped_by, equivalence, result, *speeds)


def _word(record: Record) -> str:
    return "INVALID" if record.status == "invalid" or record.equivalence.verdict == "INVALID" else record.status


def _why(record: Record) -> str:
    return record.error.message if record.error else record.equivalence.note


def _spoken(record: Record, axes: Sequence[str]) -> str:
    return ", ".join(f"{name}={axis_text(record, name)}" for name in axes)
