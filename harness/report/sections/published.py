"""What others published, beside this run's curves: on request, under its own heading, in no verdict."""

from collections.abc import Sequence

from harness.report import numbers
from harness.report.blocks import Block, Fold, Prose, Row, Section
from harness.report.charts import Chart, LineChart
from harness.report.published import Published, find
from harness.report.sections.curves import phase_chart
from harness.report.speeds import PHASE_NAME, PHASES, Phase
from harness.report.table import Cell, Column, Table, nothing, number, words
from harness.report.variants import Group

SWEEP = ("PP", "TG", "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s")
WARNING = (
    "Published by others in the threads named below: other machines, other code, perhaps another model. "
    "Not measured here, and part of no verdict. The scale is logarithmic, since machines differ by orders of magnitude."
)


def section(found: Sequence[Group], wanted: Sequence[str]) -> Section | None:
    """Charts of the sweeps beside each group's curves, all tables behind disclosures; None if nothing is asked for."""
    if not wanted:
        return None
    tables, problems = find(wanted)
    blocks: list[Block] = [Prose(problem, "bad") for problem in problems]
    if tables:
        sweeps = [table for table in tables if table.kind == "sweep"]
        charts = tuple(c for group in found for phase in PHASES if (c := beside(group, phase, sweeps)) is not None)
        blocks += [Prose(WARNING, "warn"), *((Row(charts),) if charts else ()), *map(_fold, tables)]
    return Section("published", "Published by others", "Published", tuple(blocks))


def beside(group: Group, phase: Phase, sweeps: Sequence[Published]) -> LineChart | None:
    """A group's curves with published sweeps under them; None where either is missing."""
    ours: Chart | None = phase_chart(group, phase)
    if not sweeps or not isinstance(ours, LineChart):
        return None
    theirs = tuple(table.curve(phase, -1 - number) for number, table in enumerate(sweeps))
    name = PHASE_NAME[phase]
    return LineChart(
        key=f"published-{group.key}-{phase}",
        title=f"{name} beside what others published",
        alt=f"{ours.alt} Beside it, on a logarithmic scale, {len(theirs)} curves published by others.",
        x_label=ours.x_label,
        y_label=ours.y_label,
        lines=(*ours.lines, *theirs),
        log_y=True,
    )


def _fold(table: Published) -> Fold:
    facts = ", ".join(part for part in (table.engine, table.tool, table.hardware, table.model, table.quant) if part)
    source = f"Source: {table.source}"
    told = [Prose(facts), Prose(source), *((Prose(f"Note: {table.caveat}."),) if table.caveat else ())]
    heading = "" if table.heading_known else ", heading not known"
    return Fold(f"{table.name}, published by others{heading}", (*told, _table(table)))


def _table(table: Published) -> Table:
    if table.kind == "sweep":
        columns = tuple(map(Column, SWEEP))
        rows = tuple(tuple(map(_figure, row)) for row in table.rows)
    else:
        columns = (
            *(Column(head, "text") for head in ("model", "quant", "variant", "test")),
            Column("t/s"),
            Column("±"),
        )
        rows = tuple((*(words(str(text)) for text in row[:4]), *map(_figure, row[4:])) for row in table.rows)
    return Table(f"published-{table.name}", f"{table.name}: as published", columns, rows)


def _figure(value: object) -> Cell:
    if not isinstance(value, int | float):
        return nothing()
    return number(value, str(value) if isinstance(value, int) else numbers.fixed(value, 3 if value < 10 else 2))
