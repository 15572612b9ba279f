"""Why the merge pays: from the plainest cell of merge × fuse × path to the best, by step and by operation.

Times were measured; launches, tiles, bytes and MACs are counted from the programs, and stand beside them.
"""

import math
from collections.abc import Callable, Iterable, Sequence

from harness.records.profile import CaseProfile
from harness.report import numbers
from harness.report.blocks import Block, Fold, Prose, Row, Section
from harness.report.cells import PLAIN, Cells, Change, Counts, Step, cells_of, step, total_ns, way
from harness.report.cells import Cell as ProfiledCell
from harness.report.charts import Fall, Waterfall
from harness.report.sections.sweep import effect_cell
from harness.report.table import Cell, Column, Table, nothing, number, words
from harness.report.variants import spoken, written
from harness.stats.interval import Interval

MERGE = "merge_up_gate"
OPEN = 2
"""Rows of a model that are shown at once; of those with the most cells."""

LITTLE = 0.1
"""Of a step's largest change of time: an operation that changed by less has no bar of its own."""

VERDICTS = {
    "FASTER": "merging pays",
    "SLOWER": "merging costs",
    "SAME": "merging changes nothing that matters",
    "CANNOT TELL": "whether merging pays cannot be told",
}

NOTE = (
    "Every round took each cell once, untimed and then operation by operation; a change is the mean difference within "
    "rounds, with its 99 % interval. Launches (kernels a GPU would start), tiles (pieces of rows by tokens that its "
    "blocks of threads multiply), bytes and MACs are counted from the programs. Activations: float32 that products "
    "read and write."
)

COUNTED: tuple[tuple[str, Callable[[Counts], float], Callable[[float], str]], ...] = (
    ("launches", lambda counts: counts.launches, numbers.count),
    ("tiles", lambda counts: counts.tiles, numbers.count),
    ("weights and KV", lambda counts: counts.bytes, numbers.size),
    ("activations", lambda counts: counts.activation_bytes, numbers.size),
    ("MACs", lambda counts: counts.macs, lambda value: numbers.si(value, "MAC")),
)


def section(profiles: Sequence[CaseProfile]) -> Section | None:
    """A waterfall for each row that at least two cells were profiled on; None without one."""
    found = cells_of(profiles)
    if not found:
        return None
    shown, rest = _shown(found)
    blocks = [block for cells in shown for block in _blocks(f"why-{found.index(cells)}", cells)]
    if rest:
        inner = [block for cells in rest for block in _blocks(f"why-{found.index(cells)}", cells)]
        blocks.append(Fold(f"The same for {len(rest)} more settings", tuple(inner)))
    return Section(
        "why", "Why the merge pays, and where it does not", "Why", (*blocks, Prose(NOTE, "quiet")), brief=True
    )


def _shown(found: Sequence[Cells]) -> tuple[list[Cells], list[Cells]]:
    """Of every model the rows with the most cells; and the rest."""
    shown: list[Cells] = []
    for model in dict.fromkeys(cells.model for cells in found):
        own = sorted((cells for cells in found if cells.model == model), key=lambda cells: -len(cells.cells))
        shown += [cells for cells in own[:OPEN] if len(cells.cells) == len(own[0].cells)]
    return shown, [cells for cells in found if cells not in shown]


def _blocks(key: str, cells: Cells) -> tuple[Block, ...]:
    steps = way(cells)
    chart = _chart(key, cells, steps)
    whole = Fold("Every operation of every step", (_table(f"{key}-ops", "By operation", _all_lines(steps)),))
    return (
        Prose(_sentence(cells, steps)),
        *_verdicts(cells),
        Row((chart,)),
        _table(f"{key}-steps", "What each step changes", _few_lines(steps)),
        _choices(f"{key}-choices", cells),
        whole,
    )


def _sentence(cells: Cells, steps: Sequence[Step]) -> str:
    first, last = steps[0].before, steps[-1].after
    about = ", ".join(part for part in (cells.model, cells.setting, cells.test) if part)
    result = step(tuple(PLAIN), first, last).speed
    told = f"{numbers.change(result.ratio)} {_percent(result.low, result.high)}"
    took = numbers.duration(first.row.plain_ns), numbers.duration(last.row.plain_ns)
    if cells.best is cells.plainest:
        return f"{about}: no cell is as fast as {first.label} ({took[0]}); {last.label} is {told} in speed."
    return f"{about}: from {first.label} ({took[0]}) to {last.label} ({took[1]}), {told} in speed."


def _verdicts(cells: Cells) -> tuple[Prose, ...]:
    """What merging brings where the other choices are those of the best cell."""
    told = [_verdict(step((MERGE,), *pair)) for pair in cells.between(MERGE) if cells.best in pair]
    told += [Prose("Something else used the machine in most rounds, so they count too.", "warn")] * cells.disturbed
    return tuple(told)


def _verdict(taken: Step) -> Prose:
    result, (a, b) = taken.speed, (taken.whole.before, taken.whole.after)
    counted = (
        f"launches {_from_to(a.launches, b.launches, numbers.count)}",
        f"tiles {_from_to(a.tiles, b.tiles, numbers.count)}",
        f"activations {_from_to(a.activation_bytes, b.activation_bytes, numbers.size)}",
    )
    told = f"{numbers.change(result.ratio)} {_percent(result.low, result.high)} in speed"
    return Prose(f"At {_but(taken.after, MERGE)}, {VERDICTS[result.verdict]}: {told}, with {', '.join(counted)}.")


def _but(cell: ProfiledCell, axis: str) -> str:
    """The other choices of a cell."""
    others = [name for name in reversed(PLAIN) if name != axis]
    return ", ".join(spoken(name, written(getattr(cell.profile.case.axes, name))) for name in others)


def _chart(key: str, cells: Cells, steps: Sequence[Step]) -> Waterfall:
    scale, unit, digits = _scale(max(abs(op.ns.mean) for taken in steps for op in (taken.whole, *taken.ops)))
    falls = tuple(
        (f"{taken.label}: {_signed_ns(taken.whole.ns)}", tuple(_fall(part, scale) for part in _parts(taken)))
        for taken in steps
    )
    first, last = steps[0].before, steps[-1].after
    before, after = (numbers.duration(total_ns(cell.row)) for cell in (first, last))
    told = "; ".join(f"{label}, of which {', '.join(f.label for f in parts)}" for label, parts in falls)
    return Waterfall(
        key=f"{key}-chart",
        title=f"{cells.test}: {before} in operations become {after}",
        alt=f"Change of time in operations, step by step from {first.label} to {last.label}: {told}.",
        x_label=f"{unit} against {first.label}",
        steps=falls,
        unit=f" {unit}",
        digits=digits,
    )


def _fall(part: Change, scale: float) -> Fall:
    low, high = part.ns.low / scale, part.ns.high / scale
    known = math.isfinite(low)
    return Fall(part.name, part.ns.mean / scale, low if known else None, high if known else None)


def _parts(taken: Step) -> tuple[Change, ...]:
    """Operations whose counts changed or, for certain and by more than a little, whose time; the rest as one."""
    least_ns = LITTLE * max(abs(op.ns.mean) for op in taken.ops)
    apart = [op for op in taken.ops if op.before != op.after or (op.is_certain and abs(op.ns.mean) >= least_ns)]
    rest = [op for op in taken.ops if op not in apart]
    return (*apart, taken.together("other operations", rest)) if rest else tuple(apart)


def _few_lines(steps: Sequence[Step]) -> Iterable[tuple[str, Change]]:
    for taken in steps:
        yield from ((taken.label, part) for part in _parts(taken))
        if len(_parts(taken)) > 1:
            yield taken.label, taken.whole
    if len(steps) > 1:
        yield "all steps", step(tuple(PLAIN), steps[0].before, steps[-1].after).whole


def _all_lines(steps: Sequence[Step]) -> Iterable[tuple[str, Change]]:
    return ((taken.label, op) for taken in steps for op in taken.ops)


def _table(key: str, caption: str, lines: Iterable[tuple[str, Change]]) -> Table:
    heads = (Column("step", "text"), Column("operation", "text"), Column("change of time, 99 % interval"))
    rows = tuple((words(name), words(part.name), _change_cell(part), *_counted(part)) for name, part in lines)
    return Table(key, caption, (*heads, *(Column(head) for head, _, _ in COUNTED)), rows, n_keys=2)


def _choices(key: str, cells: Cells) -> Table:
    """Every choice alone, at every setting of the others that was measured."""
    heads = (Column("choice", "text"), Column("at", "text"), Column("speed, 99 % interval"))
    rows = []
    for axis in reversed(PLAIN):
        for before, after in cells.between(axis):
            taken = step((axis,), before, after)
            found = (words(taken.label), words(_but(after, axis)), effect_cell(taken.speed))
            rows.append((*found, *_counted(taken.whole)))
    columns = (*heads, *(Column(head) for head, _, _ in COUNTED))
    return Table(key, "Each choice alone: speed of the row, untimed, after over before", columns, tuple(rows), n_keys=2)


def _change_cell(part: Change) -> Cell:
    tone = ("good" if part.ns.mean < 0 else "bad") if part.is_certain else ""
    return number(part.ns.mean, _signed_ns(part.ns), tone)  # type: ignore[arg-type]


def _counted(part: Change) -> tuple[Cell, ...]:
    cells = []
    for _, of, said in COUNTED:
        before, after = of(part.before), of(part.after)
        if not before and not after:
            cells.append(nothing())
        elif before == after:
            cells.append(number(0.0, said(before), "quiet"))
        else:
            cells.append(number(after - before, f"{said(before)} → {said(after)}"))
    return tuple(cells)


def _from_to(before: float, after: float, said: Callable[[float], str]) -> str:
    return f"unchanged at {said(after)}" if before == after else f"{said(before)} → {said(after)}"


def _signed_ns(spread: Interval) -> str:
    """A change of time and its interval in one unit."""
    scale, unit, digits = _scale(max(abs(end) for end in (spread.mean, spread.low, spread.high) if math.isfinite(end)))
    text = f"{numbers.signed(spread.mean / scale, digits)} {unit}"
    if not math.isfinite(spread.low):
        return text
    return f"{text} [{numbers.fixed(spread.low / scale, digits)}, {numbers.fixed(spread.high / scale, digits)}]"


def _scale(largest_ns: float) -> tuple[float, str, int]:
    """Nanoseconds in the unit to draw them in, and its decimals."""
    return (1e6, "ms", 2) if largest_ns >= 1e5 else (1e3, "µs", 1)


def _percent(low: float, high: float) -> str:
    return f"{numbers.change_interval(low, high)} %" if math.isfinite(high) else ""
