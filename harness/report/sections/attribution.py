"""Where the gain comes from: what merging brings, what fusing brings, and what both bring together."""

from dataclasses import dataclass

from harness.report import numbers
from harness.report.blocks import Prose, Row, Section
from harness.report.charts import Bar, BarChart
from harness.report.effects import Effect, phase_effect
from harness.report.sections.sweep import effect_cell
from harness.report.speeds import PHASE_NAME, PHASES, Phase
from harness.report.table import Column, Table, nothing, words
from harness.report.variants import Group, Variant

MERGE, FUSE = "merge_up_gate", "fused_moe"
STEPS = (
    ("merging, unfused", ("off", "off"), ("on", "off")),
    ("merging, fused", ("off", "on"), ("on", "on")),
    ("fusing, unmerged", ("off", "off"), ("off", "on")),
    ("fusing, merged", ("on", "off"), ("on", "on")),
    ("both", ("off", "off"), ("on", "on")),
)
"""(name, (merge, fuse) before, (merge, fuse) after)."""


@dataclass(frozen=True)
class Square:
    """The four cells of merge × fuse at one setting of every other axis."""

    setting: str
    cells: dict[tuple[str, str], Variant]


def section(group: Group) -> Section | None:
    """One chart and table per complete square; None without one."""
    found = squares(group)
    if not found:
        return None
    blocks = [block for square in found for block in _blocks(group, square)]
    return Section(
        f"{group.key}-attribution", "Where the gain comes from: merge × fuse", "Merge × fuse", tuple(blocks), brief=True
    )


def squares(group: Group) -> tuple[Square, ...]:
    """The complete squares of a group."""
    if MERGE not in group.axes or FUSE not in group.axes:
        return ()
    found: dict[str, dict[tuple[str, str], Variant]] = {}
    for variant in group.variants:
        rest = ", ".join(f"{axis} {value}" for axis, value in variant.values if axis not in {MERGE, FUSE})
        found.setdefault(rest, {})[variant.value(MERGE), variant.value(FUSE)] = variant
    return tuple(Square(rest, cells) for rest, cells in found.items() if len(cells) == 4)


def _blocks(group: Group, square: Square) -> tuple[Row | Prose, ...]:
    effects = {(phase, name): _effect(group, square, phase, a, b) for phase in PHASES for name, a, b in STEPS}
    key = f"{group.key}-square-{square.cells['off', 'off'].index}"
    return Row((_chart(key, square, effects),), _table(key, square, effects)), *_interaction(effects)


def _effect(
    group: Group, square: Square, phase: Phase, before: tuple[str, str], after: tuple[str, str]
) -> Effect | None:
    return phase_effect(group.of(square.cells[before]), group.of(square.cells[after]), phase)


def _chart(key: str, square: Square, effects: dict[tuple[Phase, str], Effect | None]) -> BarChart:
    groups = []
    for name, _, after in STEPS:
        bars = [_bar(PHASE_NAME[phase], square.cells[after], effects[phase, name]) for phase in PHASES]
        groups.append((name, tuple(bars)))
    told = "; ".join(
        f"{name} {bar.label} {numbers.signed(bar.value, 1)} %"
        for name, bars in groups
        for bar in bars
        if bar.value is not None
    )
    return BarChart(
        key=f"{key}-chart",
        title="Change of speed by step, with 99 % intervals",
        alt=f"Change of speed in percent: {told}.",
        x_label="change, %",
        groups=tuple(groups),
        unit=" %",
    )


def _bar(label: str, variant: Variant, effect: Effect | None) -> Bar:
    if effect is None:
        return Bar(label, variant.index, None)
    result = effect.result
    known = result.n_pairs > len(effect.depths)
    low, high = (result.low - 1) * 100, (result.high - 1) * 100
    return Bar(label, variant.index, (result.ratio - 1) * 100, low if known else None, high if known else None)


def _table(key: str, square: Square, effects: dict[tuple[Phase, str], Effect | None]) -> Table:
    columns = (Column("step", "text"), Column("gives", "text"), Column("PP"), Column("TG"))
    rows = tuple(
        (
            words(name),
            words(square.cells[after].label, variant=square.cells[after].index),
            *(nothing() if (found := effects[phase, name]) is None else effect_cell(found.result) for phase in PHASES),
        )
        for name, _, after in STEPS
    )
    return Table(
        f"{key}-table", f"Speed after over speed before{', ' + square.setting if square.setting else ''}", columns, rows
    )


def _interaction(effects: dict[tuple[Phase, str], Effect | None]) -> tuple[Prose, ...]:
    merging, fusing, both = (effects["pp", name] for name in ("merging, unfused", "fusing, unmerged", "both"))
    if merging is None or fusing is None or both is None:
        return ()
    expected = merging.result.ratio * fusing.result.ratio
    told = (
        f"For PP merging alone brings {numbers.change(merging.result.ratio)}, fusing alone "
        f"{numbers.change(fusing.result.ratio)}, both {numbers.change(both.result.ratio)}. Steps that do not touch "
        f"each other would bring {numbers.change(expected)}."
    )
    return (Prose(told),)
