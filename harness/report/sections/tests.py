"""Single tests as llama-bench names them (pp512, tg128, pp512+tg128), one row each, with the ratio of every pair."""

from harness.report import numbers
from harness.report.blocks import Section
from harness.report.sections.sweep import ratio_cell
from harness.report.speeds import Speed, speeds
from harness.report.table import Cell, Column, Table, nothing, number, words
from harness.report.variants import Group


def section(group: Group) -> Section | None:
    """One table over all variants; None if only sweeps ran."""
    by_variant = {v.index: _by_test(group, v.index) for v in group.variants}
    names = list(dict.fromkeys(name for found in by_variant.values() for name in found))
    if not names:
        return None
    pairs = group.pairs
    columns = (
        Column("test", "text"),
        *(Column("t/s", "number", v.label, v.index) for v in group.variants),
        *(Column(p.label, "number", "ratio") for p in pairs),
    )
    rows = tuple(
        (
            words(name),
            *(_speed_cell(by_variant[v.index].get(name)) for v in group.variants),
            *(ratio_cell(by_variant[p.base.index].get(name), by_variant[p.other.index].get(name)) for p in pairs),
        )
        for name in names
    )
    return Section(
        f"{group.key}-tests",
        "Single tests",
        "Tests",
        (Table(f"{group.key}-tests-table", "llama-bench's tests", columns, rows),),
        brief=True,
    )


def _by_test(group: Group, index: int) -> dict[str, Speed]:
    variant = next(v for v in group.variants if v.index == index)
    records = [record for record in group.of(variant) if record.case.test.kind != "sweep"]
    return {speed.row.test: speed for speed in speeds(records)}


def _speed_cell(speed: Speed | None) -> Cell:
    if speed is None:
        return nothing()
    spread = "" if speed.low is None else f" ± {numbers.rate(speed.tokens_per_s - speed.low)}"
    note = ", disturbed" if speed.disturbed else ""
    return number(speed.tokens_per_s, f"{numbers.rate(speed.tokens_per_s)}{spread}{note}")
