"""Charts as data: what is drawn by matplotlib, sketched in a terminal, and always also given as a table.

Every chart has a title, a text alternative that says what it shows, and `table()`. `variant` is the index of a colour;
-1, -2 … are what others published, all in one quiet colour.
"""

from dataclasses import dataclass

from harness.report import numbers
from harness.report.table import Cell, Column, Table, nothing, number, words


@dataclass(frozen=True)
class Line:
    """One curve. `low` and `high` are the interval at each point, None where it is not known."""

    label: str
    variant: int
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class LineChart:
    """Curves over a common x. `ticks` names whole-number x positions where x is no quantity.

    `around_zero` draws changes about a zero line instead of quantities from zero up.
    """

    key: str
    title: str
    alt: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    ticks: tuple[str, ...] = ()
    log_y: bool = False
    around_zero: bool = False
    digits: int = 2

    def table(self) -> Table:
        """One row per x, one column per curve."""
        positions = sorted({x for line in self.lines for x in line.x})
        heads = (Column(self.x_label), *(Column(line.label, variant=line.variant) for line in self.lines))
        rows = tuple((self._x_cell(x), *(self._y_cell(line, x) for line in self.lines)) for x in positions)
        return Table(f"{self.key}-data", f"{self.title}: {self.y_label}", heads, rows)

    def _x_cell(self, x: float) -> Cell:
        return Cell(self.ticks[int(x)] if self.ticks else numbers.fixed(x, 0), x)

    def _y_cell(self, line: Line, x: float) -> Cell:
        if x not in line.x:
            return nothing()
        at = line.x.index(x)
        return number(line.y[at], _with_interval(line.y[at], _at(line.low, at), _at(line.high, at), self.digits))


@dataclass(frozen=True)
class Bar:
    """One bar with its interval; None where there is nothing to show."""

    label: str
    variant: int
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class BarChart:
    """Horizontal bars in labelled groups. `unit` follows every value."""

    key: str
    title: str
    alt: str
    x_label: str
    groups: tuple[tuple[str, tuple[Bar, ...]], ...]
    unit: str = ""
    digits: int = 1

    def table(self) -> Table:
        """One row per bar."""
        heads = (Column("group", "text"), Column("bar", "text"), Column(self.x_label))
        rows = tuple(
            (words(group), Cell(bar.label, variant=bar.variant), self._cell(bar))
            for group, bars in self.groups
            for bar in bars
        )
        return Table(f"{self.key}-data", self.title, heads, rows)

    def _cell(self, bar: Bar) -> Cell:
        if bar.value is None:
            return nothing()
        return number(bar.value, _with_interval(bar.value, bar.low, bar.high, self.digits))


@dataclass(frozen=True)
class StackedChart:
    """Horizontal bars made of parts that add up. `bars` are (label, variant, amount of each part)."""

    key: str
    title: str
    alt: str
    x_label: str
    parts: tuple[str, ...]
    bars: tuple[tuple[str, int, tuple[float, ...]], ...]
    digits: int = 3

    def table(self) -> Table:
        """One row per bar, one column per part, and the sum."""
        heads = (Column("variant", "text"), *(Column(part) for part in self.parts), Column("sum"))
        rows = tuple(
            (
                Cell(label, variant=variant),
                *(number(amount, numbers.fixed(amount, self.digits)) for amount in amounts),
                number(sum(amounts), numbers.fixed(sum(amounts), self.digits)),
            )
            for label, variant, amounts in self.bars
        )
        return Table(f"{self.key}-data", f"{self.title}: {self.x_label}", heads, rows)


@dataclass(frozen=True)
class Fall:
    """A change of what came before: it begins where the bar above ends. `low` and `high`: its interval, or None."""

    label: str
    change: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Waterfall:
    """Changes that add up, from zero on, in labelled steps; less is better."""

    key: str
    title: str
    alt: str
    x_label: str
    steps: tuple[tuple[str, tuple[Fall, ...]], ...]
    unit: str = ""
    digits: int = 2

    def said(self, fall: Fall) -> str:
        """A change with its sign, its unit and its interval."""
        text = f"{numbers.signed(fall.change, self.digits)}{self.unit}"
        if fall.low is None or fall.high is None:
            return text
        return f"{text} [{numbers.fixed(fall.low, self.digits)}, {numbers.fixed(fall.high, self.digits)}]"

    def table(self) -> Table:
        """One row per change."""
        heads = (Column("step", "text"), Column("part", "text"), Column(self.x_label))
        rows = tuple(
            (words(step), words(fall.label), number(fall.change, self.said(fall)))
            for step, falls in self.steps
            for fall in falls
        )
        return Table(f"{self.key}-data", self.title, heads, rows)


@dataclass(frozen=True)
class Cloud:
    """Points of one variant; those in `hollow` did not count."""

    label: str
    variant: int
    x: tuple[float, ...]
    y: tuple[float, ...]
    hollow: tuple[bool, ...]


@dataclass(frozen=True)
class CloudChart:
    """Single samples over time. Its data table is the list of samples, which a report has anyway."""

    key: str
    title: str
    alt: str
    x_label: str
    y_label: str
    clouds: tuple[Cloud, ...]

    def table(self) -> Table:
        """One row per variant: how many samples, how far they lie from their mean."""
        heads = (
            Column("variant", "text"),
            Column("samples"),
            Column("not counted"),
            Column("lowest"),
            Column("highest"),
        )
        rows = tuple(
            (
                Cell(cloud.label, variant=cloud.variant),
                number(len(cloud.y), str(len(cloud.y))),
                number(sum(cloud.hollow), str(sum(cloud.hollow))),
                number(min(cloud.y), numbers.fixed(min(cloud.y), 2)),
                number(max(cloud.y), numbers.fixed(max(cloud.y), 2)),
            )
            for cloud in self.clouds
            if cloud.y
        )
        return Table(f"{self.key}-data", f"{self.title}: {self.y_label}", heads, rows)


@dataclass(frozen=True)
class HeatMap:
    """A grid of shares: `cells[row][column]`, each relative to an even spread (1.0 is even)."""

    key: str
    title: str
    alt: str
    x_label: str
    y_label: str
    cells: tuple[tuple[float, ...], ...]

    def table(self) -> Table:
        """One row per row of the grid: its extremes."""
        heads = (Column(self.y_label), Column("used"), Column("least"), Column("most"))
        rows = tuple(
            (
                number(row, str(row)),
                number(sum(v > 0 for v in values), f"{sum(v > 0 for v in values)} of {len(values)}"),
                number(min(values), numbers.factor(min(values))),
                number(max(values), numbers.factor(max(values))),
            )
            for row, values in enumerate(self.cells)
            if values
        )
        return Table(f"{self.key}-data", self.title, heads, rows)


Chart = LineChart | BarChart | StackedChart | Waterfall | CloudChart | HeatMap


def _at(values: tuple[float | None, ...], index: int) -> float | None:
    return values[index] if values else None


def _with_interval(value: float, low: float | None, high: float | None, digits: int) -> str:
    text = numbers.fixed(value, digits)
    if low is None or high is None:
        return text
    return f"{text} [{numbers.fixed(low, digits)}, {numbers.fixed(high, digits)}]"
