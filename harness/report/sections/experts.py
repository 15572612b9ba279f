"""Which experts the tokens went to: routing decides how much of a mixture's weights a run really read."""

import math
from collections.abc import Sequence

from harness.records.record import Record
from harness.report import numbers
from harness.report.blocks import Block, Prose, Row, Section
from harness.report.charts import HeatMap
from harness.report.speeds import is_valid
from harness.report.variants import Group


def section(group: Group) -> Section | None:
    """A grid of layers and experts; one only where every variant routed alike, which is what they should do."""
    counts = {variant: _counts(group.of(variant)) for variant in group.variants}
    known = {variant: grid for variant, grid in counts.items() if grid}
    if not known:
        return None
    shapes = {variant: _relative(grid) for variant, grid in known.items()}
    first_variant, first = next(iter(shapes.items()))
    alike = all(shape == first for shape in shapes.values())
    shown = {"every variant": first} if alike else {v.label: shape for v, shape in shapes.items()}
    charts = tuple(
        _chart(f"{group.key}-experts-{number}", label, shape) for number, (label, shape) in enumerate(shown.items())
    )
    blocks: list[Block] = [Row(charts), Prose(_summary(known[first_variant]))]
    return Section(f"{group.key}-experts", "Experts used", "Experts", tuple(blocks))


def effective_experts(row: Sequence[int]) -> float:
    """How many equally busy experts would be as uneven: exp of the entropy of the shares."""
    total = sum(row)
    return math.exp(-sum(n / total * math.log(n / total) for n in row if n)) if total else 0.0


def _counts(records: Sequence[Record]) -> tuple[tuple[int, ...], ...]:
    """The counts of the first valid record that has any routed token."""
    return next((r.expert_counts for r in records if is_valid(r) and any(map(sum, r.expert_counts))), ())


def _relative(grid: Sequence[Sequence[int]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(n * len(row) / sum(row) for n in row) if sum(row) else tuple(0.0 for _ in row) for row in grid)


def _chart(key: str, label: str, cells: tuple[tuple[float, ...], ...]) -> HeatMap:
    rows = [row for row in cells if row]
    busiest = max(max(row) for row in rows)
    alt = (
        f"Tokens per expert and layer, {label}: {len(rows)} layers of {max(map(len, rows))} experts; "
        f"the busiest has {busiest:.1f} times its even share."
    )
    return HeatMap(key, f"Tokens per expert, {label}", alt, "expert", "layer", cells)


def _summary(grid: Sequence[Sequence[int]]) -> str:
    rows = [row for row in grid if sum(row)]
    used = [sum(n > 0 for n in row) for row in rows]
    most = f"all {len(rows[0])}" if min(used) == len(rows[0]) else f"{min(used)} to {max(used)} of {len(rows[0])}"
    spread = [effective_experts(row) for row in rows]
    return (
        "Dark is an expert with few tokens, bright one with three times its even share. "
        f"Each layer used {most} experts; the tokens are spread as evenly as over "
        f"{numbers.fixed(min(spread), 1)} to {numbers.fixed(max(spread), 1)} equally busy ones."
    )
