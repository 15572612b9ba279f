"""Joules per token where they were measured; where not, the reason stands in their place."""

from collections.abc import Sequence

from harness.records.record import Record
from harness.records.timing import Row as Measured
from harness.report import numbers
from harness.report.blocks import Block, Prose, Section
from harness.report.speeds import counted, phase_of, speeds
from harness.report.table import Cell, Column, Table, number, words
from harness.report.variants import Group


def section(group: Group) -> Section | None:
    """A table if any sample has energy, else one sentence with the reasons; None if nothing is said at all."""
    rows = [
        (variant, speed.row) for variant in group.variants for speed in speeds(group.of(variant)) if joules(speed.row)
    ]
    blocks: list[Block] = []
    if rows:
        columns = (Column("variant", "text"), Column("test", "text"), Column("J/token"), Column("W"), Column("samples"))
        cells = tuple((words(v.label, variant=v.index), words(row.test), *_figures(row)) for v, row in rows)
        blocks.append(Table(f"{group.key}-energy-table", "Energy per token", columns, cells))
    why = reasons([record for variant in group.variants for record in group.of(variant)])
    if why:
        blocks.append(Prose(f"{'Not for every sample' if rows else 'Not measured'}: {'; '.join(why)}.", "quiet"))
    return Section(f"{group.key}-energy", "Energy", "Energy", tuple(blocks)) if blocks else None


def joules(row: Measured) -> tuple[float, ...]:
    """The energies of the counted samples that have one."""
    return tuple(sample.energy_j for sample in counted(row) if sample.energy_j is not None)


def reasons(records: Sequence[Record]) -> tuple[str, ...]:
    """Every distinct reason for a missing energy."""
    told = (s.energy_why for record in records for row in record.rows if phase_of(row) for s in row.samples)
    return tuple(dict.fromkeys(why for why in told if why))


def _figures(row: Measured) -> tuple[Cell, ...]:
    samples = [sample for sample in counted(row) if sample.energy_j is not None]
    energy = sum(joules(row))
    per_token = energy / sum(sample.n_tokens for sample in samples)
    watts = energy / sum(sample.total_ns for sample in samples) * 1e9
    return (
        number(per_token, numbers.significant(per_token)),
        number(watts, numbers.significant(watts)),
        number(len(samples), str(len(samples))),
    )
