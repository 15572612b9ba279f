"""The report on a terminal: verdicts, tables and small charts. No foreign text is read as rich's markup or as a link.

Colours follow NO_COLOR and the terminal; without any, the words and marks alone say the same.
"""

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table as Grid
from rich.text import Text

from harness.records.record import Record
from harness.report import numbers
from harness.report.blocks import Block, Code, Document, Fold, Mood, Part, Prose, Row, Section
from harness.report.charts import BarChart, Chart, LineChart, StackedChart, Waterfall
from harness.report.document import records_document
from harness.report.table import Cell, Table

STYLES = ("blue", "dark_orange", "green", "magenta", "yellow", "purple", "cyan", "red")
MARKS = ("●", "■", "▲", "◆", "▼", "✚", "✖", "⬟")
MOODS: dict[Mood, str] = {"good": "green", "bad": "red", "warn": "yellow", "quiet": "dim", "": ""}
LEVELS = "▁▂▃▄▅▆▇█"
PARTS = "█▓▒░▚▞▖▝"
BAR_WIDTH = 36


def show_run(records: Sequence[Record], console: Console) -> None:
    """Print a run's records."""
    show_document(records_document(records), console)


def show_document(document: Document, console: Console) -> None:
    """Print any document: its brief sections."""
    console.print(Text(document.title, style="bold"))
    console.print(Text(document.subtitle))
    for name, value in document.facts:
        if value:
            console.print(Text.assemble((f"{name} ", "dim"), value))
    for warning in document.warnings:
        console.print(Text(f"! {warning.text}", style=MOODS[warning.mood]))
    for part in document.parts:
        _show_part(part, console, alone=len(document.parts) == 1)
    for section in document.sections:
        _show_section(section, console)


def sparkline(values: Sequence[float], low: float, high: float) -> str:
    """One character per value between `low` and `high`; the lowest is not empty, so that a flat series shows."""
    span = high - low
    return "".join(LEVELS[round((value - low) / span * 7) if span else 3] for value in values)


def _show_part(part: Part, console: Console, *, alone: bool) -> None:
    console.print()
    if not alone:
        console.print(Rule(Text(part.title)))
    for found in part.headlines:
        about = f" ({found.about})" if found.about else ""
        console.print(Text(found.sentence + about, style=f"bold {MOODS[found.mood]}".strip()))
    for caution in dict.fromkeys(caution for found in part.headlines for caution in found.cautions):
        console.print(Text(caution.text, style=MOODS[caution.mood]))
    for section in part.sections:
        _show_section(section, console)


def _show_section(section: Section, console: Console) -> None:
    if section.brief:
        console.print()
        console.print(Text(section.title, style="bold underline"))
        for block in section.blocks:
            console.print(Group(*_block(block, console.width)))


def _block(block: Block, width: int) -> Iterator[RenderableType]:
    match block:
        case Table():
            yield from _table(block, width)
        case Prose():
            yield Text(block.text, style=MOODS[block.mood])
        case Row(beside=Table() as table):
            yield from (drawn for chart in block.charts for drawn in _chart(chart))
            yield from _table(table, width)
        case Row():
            yield from (drawn for chart in block.charts for drawn in _chart(chart))
        case Code():
            yield Text(block.text)
        case Fold():
            yield Text(block.summary, style="dim")


def _table(table: Table, width: int) -> Iterator[RenderableType]:
    """A table that is too wide goes on below, with the columns that name its rows repeated: no figure is ever cut."""
    for title, part in table.by_variant():
        for number, places in enumerate(_that_fit(part, width)):
            grid = Grid(
                title=Text("…" if number else title or table.caption), title_justify="left", box=None, pad_edge=False
            )
            for place in places:
                right = part.columns[place].kind == "number"
                head = Text(part.full_heads[place], style="bold")
                grid.add_column(head, justify="right" if right else "left", no_wrap=right, overflow="fold")
            for row in part.rows:
                grid.add_row(*(_cell(row[place]) for place in places))
            yield grid


def _that_fit(table: Table, width: int) -> Iterator[list[int]]:
    """Column places in chunks of at most `width` characters; every chunk has the key columns."""
    widths = [
        max(len(head), *(len(row[place].text) + 2 * (row[place].variant >= 0) for row in table.rows), 0) + 2
        for place, head in enumerate(table.full_heads)
    ]
    keys = list(range(table.n_keys))
    chunk, room = [*keys], width - sum(widths[: table.n_keys])
    for place in range(table.n_keys, len(widths)):
        if widths[place] > room and len(chunk) > len(keys):
            yield chunk
            chunk, room = [*keys], width - sum(widths[: table.n_keys])
        chunk.append(place)
        room -= widths[place]
    yield chunk


def _cell(cell: Cell) -> Text:
    mark = Text.assemble((MARKS[cell.variant % 8], STYLES[cell.variant % 8]), " ") if cell.variant >= 0 else Text()
    return mark + Text(cell.text, style=MOODS[cell.tone])


def _chart(chart: Chart) -> Iterator[RenderableType]:
    match chart:
        case LineChart():
            yield Text(f"{chart.title} ({chart.y_label})", style="dim")
            yield from _lines(chart)
        case BarChart():
            yield Text(f"{chart.title} ({chart.x_label})", style="dim")
            yield from _bars(chart)
        case StackedChart():
            yield Text(f"{chart.title} ({chart.x_label})", style="dim")
            yield from _stacks(chart)
        case Waterfall():
            yield Text(f"{chart.title} ({chart.x_label})", style="dim")
            yield from _falls(chart)


def _lines(chart: LineChart) -> Iterator[Text]:
    """On one scale, so that the higher curve stands higher."""
    values = [value for line in chart.lines for value in line.y]
    widest = max(len(line.label) for line in chart.lines)
    for line in chart.lines:
        ends = f"  {numbers.fixed(line.y[0], chart.digits)} → {numbers.fixed(line.y[-1], chart.digits)}"
        yield _named(line.label, line.variant, widest) + Text(f"  {sparkline(line.y, min(values), max(values))}{ends}")


def _bars(chart: BarChart) -> Iterator[Text]:
    every = [bar for _, bars in chart.groups for bar in bars]
    longest = max((abs(bar.value or 0.0) for bar in every), default=0.0) or 1.0
    widest = max((len(bar.label) for bar in every), default=0)
    for group, bars in chart.groups:
        if len(chart.groups) > 1:
            yield Text(group)
        for bar in bars:
            value = bar.value or 0.0
            drawn = "█" * round(abs(value) / longest * BAR_WIDTH) or "▏"
            shown = numbers.NOTHING if bar.value is None else f"{numbers.fixed(value, chart.digits)}{chart.unit}"
            yield _named(bar.label, bar.variant, widest) + Text(f"  {drawn} {shown}")


def _stacks(chart: StackedChart) -> Iterator[Text]:
    longest = max((sum(amounts) for _, _, amounts in chart.bars), default=0.0) or 1.0
    widest = max((len(label) for label, _, _ in chart.bars), default=0)
    for label, variant, amounts in chart.bars:
        drawn = "".join(PARTS[n % 8] * round(a / longest * BAR_WIDTH) for n, a in enumerate(amounts))
        yield _named(label, variant, widest) + Text(f"  {drawn} {numbers.fixed(sum(amounts), 3)} {chart.x_label}")
    yield Text("  ".join(f"{PARTS[n % 8]} {name}" for n, name in enumerate(chart.parts)), style="dim")


def _falls(chart: Waterfall) -> Iterator[Text]:
    for step, falls in chart.steps:
        yield Text(step)
        for fall in falls:
            yield Text(f"  {fall.label}: {chart.said(fall)}")


def _named(label: str, variant: int, width: int) -> Text:
    return Text.assemble((MARKS[variant % 8], STYLES[variant % 8]), " ", label.ljust(width))
