"""Whether a choice that must not change results did: one row per variant and what it was compared with."""

from harness.records.record import Equivalence
from harness.report.blocks import Section
from harness.report.table import Cell, Column, Table, Tone, nothing, number, words
from harness.report.variants import Group

TONES: dict[str, Tone] = {"identical": "good", "close": "", "INVALID": "bad", "not checked": "quiet"}


def section(group: Group) -> Section | None:
    """None if no case was checked and none says why."""
    rows = []
    labels = {r.case.case_id: v.label for v in group.variants for r in group.of(v)}
    for variant in group.variants:
        for found in dict.fromkeys(record.equivalence for record in group.of(variant)):
            if found != Equivalence():
                label = words(variant.label, variant=variant.index)
                rows.append((label, *_cells(found, labels.get(found.against, found.against))))
    if not rows:
        return None
    heads = ("max abs", "KL divergence", "same top token")
    columns = (
        Column("variant", "text"),
        Column("verdict", "text"),
        Column("against", "text"),
        *map(Column, heads),
        Column("note", "text"),
    )
    table = Table(
        f"{group.key}-equivalence-table", "Logits of a fixed stream of tokens, compared", columns, tuple(rows)
    )
    return Section(f"{group.key}-equivalence", "Equivalence", "Equivalence", (table,))


def _cells(found: Equivalence, against: str) -> tuple[Cell, ...]:
    return (
        words(found.verdict, TONES.get(found.verdict, "warn")),
        words(against),
        _small(found.max_abs),
        _small(found.kl),
        nothing() if found.top1 is None else number(found.top1, f"{found.top1 * 100:.1f} %"),
        words(found.note),
    )


def _small(value: float | None) -> Cell:
    return nothing() if value is None else number(value, "0" if value == 0 else f"{value:.2e}".replace("e-", "e−"))
