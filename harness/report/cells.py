"""Merge × fuse × path: profiled cells that differ in nothing else, and what each choice changes between two of them.

Changes of time are means of differences within rounds, so that those of operations add up to that of their step, and
steps to the whole way. What else changes is counted from the programs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import permutations

from harness.records.axes import Axes
from harness.records.profile import CaseProfile, OpTime, RowProfile
from harness.report.variants import spoken, written
from harness.stats.interval import Interval, mean_interval
from harness.stats.paired import ALARM_CONFIDENCE, PairedResult, compare

PLAIN = {"moe_path": "per_expert", "fused_moe": "off", "merge_up_gate": "off"}
"""The cell that spares nothing, by axis; steps are taken in this order where the cells between were measured."""


@dataclass(frozen=True)
class Counts:
    """What a program asks for, of one operation or several."""

    launches: int = 0
    tiles: float = 0
    macs: float = 0
    bytes: float = 0
    activation_bytes: float = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Counts)))


@dataclass(frozen=True)
class Cell:
    """One row of one case. `values` are those of the axes in PLAIN, in its order."""

    profile: CaseProfile
    row: RowProfile

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(written(getattr(self.profile.case.axes, axis)) for axis in PLAIN)

    @property
    def label(self) -> str:
        """Merge on, fuse off, path grouped."""
        return ", ".join(spoken(axis, value) for axis, value in reversed(list(zip(PLAIN, self.values, strict=True))))

    @property
    def distance(self) -> int:
        """How many choices it is away from the plain one."""
        return sum(value != plain for value, plain in zip(self.values, PLAIN.values(), strict=True))

    def but(self, axis: str) -> tuple[str, ...]:
        """Its values without that of one axis."""
        return tuple(value for name, value in zip(PLAIN, self.values, strict=True) if name != axis)


@dataclass(frozen=True)
class Cells:
    """Cells of one model, setting and row, the plainest first; at least two, each with the same rounds."""

    model: str
    setting: str
    cells: tuple[Cell, ...]

    @property
    def test(self) -> str:
        """llama-bench's name of the row."""
        return self.cells[0].row.test

    @property
    def plainest(self) -> Cell:
        """Where the way begins."""
        return self.cells[0]

    @property
    def fastest(self) -> Cell:
        """The least median time of the row, untimed."""
        return min(self.cells, key=lambda cell: cell.row.plain_ns)

    @property
    def best(self) -> Cell:
        """Of the fastest and those that are not slower for certain, the one that takes most choices."""
        fastest = self.fastest
        level = [cell for cell in self.cells if step((), fastest, cell).speed.high >= 1]
        return max(level, key=lambda cell: (cell.distance, cell is fastest))

    @property
    def disturbed(self) -> bool:
        """Whether disturbed rounds had to count."""
        return any(cell.row.disturbed for cell in self.cells)

    def between(self, axis: str) -> tuple[tuple[Cell, Cell], ...]:
        """Every two cells that differ in `axis` alone, the plain one first."""
        found: dict[tuple[str, ...], list[Cell]] = {}
        for cell in self.cells:
            found.setdefault(cell.but(axis), []).append(cell)
        return tuple((pair[0], pair[1]) for pair in found.values() if len(pair) == 2)


@dataclass(frozen=True)
class Change:
    """What one operation, or several together, takes before and after. `ns`: the difference with its 99 % interval."""

    name: str
    ns: Interval
    before: Counts
    after: Counts

    @property
    def is_certain(self) -> bool:
        """Whether the time certainly changed."""
        return self.ns.low > 0 or self.ns.high < 0


@dataclass(frozen=True)
class Step:
    """From one cell to another that differs in the axes named. `ops` are in the program's order."""

    axes: tuple[str, ...]
    before: Cell
    after: Cell
    ops: tuple[Change, ...]
    whole: Change

    @property
    def label(self) -> str:
        """The choice that is taken: path grouped."""
        values = dict(zip(PLAIN, self.after.values, strict=True))
        return ", ".join(spoken(axis, values[axis]) for axis in self.axes)

    @property
    def speed(self) -> PairedResult:
        """The row's speed after over before, untimed; no verdict on disturbed rounds."""
        result = compare(self.before.row.plain_runs_ns, self.after.row.plain_runs_ns)
        disturbed = self.before.row.disturbed or self.after.row.disturbed
        return replace(result, verdict="CANNOT TELL", needed=0) if disturbed else result

    def together(self, name: str, ops: Iterable[Change]) -> Change:
        """Some of its operations as one."""
        names = {op.name for op in ops}
        return change(name, self.before.row, self.after.row, names)


def cells_of(profiles: Sequence[CaseProfile]) -> tuple[Cells, ...]:
    """The cells of every model, setting and row with at least two of them, in order of first appearance."""
    varying = [f.name for f in fields(Axes) if f.name not in PLAIN and len({_at(p, f.name) for p in profiles}) > 1]
    found: dict[tuple[str, Axes, str], list[Cell]] = {}
    for profile in profiles:
        rest = replace(profile.case.axes, merge_up_gate=False, fused_moe=False, moe_path="")
        for row in profile.rows:
            if row.n_runs and row.plain_runs_ns and row.ops:
                found.setdefault((profile.case.model.label, rest, row.test), []).append(Cell(profile, row))
    return tuple(
        Cells(model, ", ".join(spoken(name, written(getattr(axes, name))) for name in varying), _aligned(members))
        for (model, axes, _), members in found.items()
        if len({cell.values for cell in members}) == len(members) > 1
    )


def way(cells: Cells) -> tuple[Step, ...]:
    """From the plainest cell to the best, one choice at a time where the cells between were measured.

    Where the plainest is the best, the way leads to the cell farthest from it instead: what every choice costs.
    """
    first, last = cells.plainest, cells.best
    if last is first:
        last = max(cells.cells, key=lambda cell: cell.distance)
    by_values = {cell.values: cell for cell in cells.cells}
    changing = [axis for axis, a, b in zip(PLAIN, first.values, last.values, strict=True) if a != b]
    for order in permutations(changing):
        stops = [by_values.get(values) for values in _stops(first.values, last.values, order)]
        if None not in stops:
            known = [stop for stop in stops if stop is not None]
            pairs = zip(order, [first, *known], known, strict=False)
            return tuple(step((axis,), before, after) for axis, before, after in pairs)
    return (step(tuple(changing), first, last),)


def step(axes: tuple[str, ...], before: Cell, after: Cell) -> Step:
    """Everything that differs between two cells, `axes` being those that do."""
    names = dict.fromkeys(op.name for op in (*before.row.ops, *after.row.ops))
    ops = tuple(change(name, before.row, after.row, {name}) for name in names)
    return Step(axes, before, after, ops, change("all operations", before.row, after.row, set(names)))


def change(name: str, before: RowProfile, after: RowProfile, ops: set[str]) -> Change:
    """What the operations named `ops` take together in two rows of equally many rounds."""
    a, b = (_runs_ns(row, ops) for row in (before, after))
    spread = mean_interval([y - x for x, y in zip(a, b, strict=True)], ALARM_CONFIDENCE)
    return Change(name, spread, _counts(before, ops), _counts(after, ops))


def total_ns(row: RowProfile) -> float:
    """The mean of all operations together."""
    runs = _runs_ns(row, {op.name for op in row.ops})
    return sum(runs) / len(runs)


def _stops(first: tuple[str, ...], last: tuple[str, ...], order: Sequence[str]) -> list[tuple[str, ...]]:
    """The values after each choice of `order`."""
    at, found = dict(zip(PLAIN, first, strict=True)), []
    for axis in order:
        at[axis] = last[list(PLAIN).index(axis)]
        found.append(tuple(at.values()))
    return found


def _aligned(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """The plainest first, all cut to the rounds that every cell has."""
    n_runs = min(len(cell.row.plain_runs_ns) for cell in cells)
    cut = [Cell(cell.profile, _cut(cell.row, n_runs)) for cell in cells]
    return tuple(sorted(cut, key=lambda cell: cell.distance))


def _cut(row: RowProfile, n_runs: int) -> RowProfile:
    ops = tuple(replace(op, runs_ns=op.runs_ns[:n_runs]) for op in row.ops)
    return replace(row, n_runs=n_runs, plain_runs_ns=row.plain_runs_ns[:n_runs], ops=ops)


def _runs_ns(row: RowProfile, ops: set[str]) -> list[int]:
    """By round, the time of the operations named."""
    return [sum(times) for times in zip(*(op.runs_ns for op in _named(row, ops)), strict=True)] or [0] * row.n_runs


def _counts(row: RowProfile, ops: set[str]) -> Counts:
    found = _named(row, ops)
    return sum((Counts(op.launches, op.tiles, op.macs, op.bytes, op.activation_bytes) for op in found), Counts())


def _named(row: RowProfile, ops: set[str]) -> list[OpTime]:
    return [op for op in row.ops if op.name in ops]


def _at(profile: CaseProfile, axis: str) -> str:
    return written(getattr(profile.case.axes, axis))
