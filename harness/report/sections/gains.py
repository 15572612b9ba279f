"""How the gain of each pair runs with the context: the ratio at every depth with its interval."""

from harness.report import numbers
from harness.report.blocks import Row, Section
from harness.report.charts import Line, LineChart
from harness.report.effects import speed_effect
from harness.report.speeds import PHASE_NAME, PHASES, Phase, curve
from harness.report.variants import Group, Pair


def section(group: Group) -> Section | None:
    """One chart per phase, one line per pair; None unless some pair was measured at two depths."""
    charts = tuple(chart for phase in PHASES if (chart := gain_chart(group, phase)) is not None)
    return Section(f"{group.key}-gains", "The gain against context", "Gain", (Row(charts),)) if charts else None


def gain_chart(group: Group, phase: Phase) -> LineChart | None:
    """The gain in percent; intervals that are not known are left out."""
    lines = tuple(line for pair in group.pairs if (line := _line(group, pair, phase)) is not None)
    if not lines or max(len(line.x) for line in lines) < 2:
        return None
    name = PHASE_NAME[phase]
    told = "; ".join(
        f"{line.label} from {numbers.signed(min(line.y), 1)} % to {numbers.signed(max(line.y), 1)} %" for line in lines
    )
    return LineChart(
        key=f"{group.key}-gain-{phase}",
        title=f"Change of {name}, with 99 % intervals",
        alt=f"Change of {name} speed in percent against tokens in the KV cache: {told}.",
        x_label="N_KV",
        y_label=f"{name} change, %",
        lines=lines,
        digits=1,
        around_zero=True,
    )


def _line(group: Group, pair: Pair, phase: Phase) -> Line | None:
    after = {speed.depth: speed for speed in curve(group.of(pair.other), phase)}
    found = [(s.depth, speed_effect(s, after[s.depth])) for s in curve(group.of(pair.base), phase) if s.depth in after]
    if not found:
        return None
    known = [result.n_pairs > 1 for _, result in found]
    return Line(
        label=pair.label,
        variant=pair.other.index,
        x=tuple(float(depth) for depth, _ in found),
        y=tuple((result.ratio - 1) * 100 for _, result in found),
        low=tuple((r.low - 1) * 100 if k else None for (_, r), k in zip(found, known, strict=True)),
        high=tuple((r.high - 1) * 100 if k else None for (_, r), k in zip(found, known, strict=True)),
    )
