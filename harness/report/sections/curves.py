"""PP and TG against N_KV, one curve per variant with its interval; bars where only one depth was measured."""

from harness.report.blocks import Row, Section
from harness.report.charts import Bar, BarChart, Chart, Line, LineChart
from harness.report.speeds import PHASE_NAME, PHASES, Phase, Speed, curve
from harness.report.variants import Group

MEANING = {"pp": "prompt processing", "tg": "token generation", "pg": "prompt and generation together"}


def section(group: Group) -> Section | None:
    """The charts of both phases."""
    charts = tuple(chart for phase in PHASES if (chart := phase_chart(group, phase)) is not None)
    return (
        Section(f"{group.key}-curves", "PP and TG against context", "Curves", (Row(charts),), brief=True)
        if charts
        else None
    )


def phase_chart(group: Group, phase: Phase) -> Chart | None:
    """Curves over depth, or bars for a single depth; None if nothing was measured."""
    measured = [(v.label, v.index, curve(group.of(v), phase)) for v in group.variants]
    measured = [(label, index, speeds) for label, index, speeds in measured if speeds]
    if not measured:
        return None
    name = f"{PHASE_NAME[phase]}, {MEANING[phase]}"
    key = f"{group.key}-{phase}"
    if max(len(speeds) for _, _, speeds in measured) == 1:
        bars = tuple(_bar(label, index, speeds[0]) for label, index, speeds in measured)
        alt = f"{name}: " + "; ".join(f"{bar.label} {bar.value:.2f} t/s" for bar in bars)
        return BarChart(key, name, alt, f"{PHASE_NAME[phase]} t/s", ((measured[0][2][0].row.test, bars),), digits=2)
    lines = tuple(_line(label, index, speeds) for label, index, speeds in measured)
    return LineChart(key, name, _alt(name, lines), "N_KV", f"{PHASE_NAME[phase]} t/s", lines)


def _line(label: str, index: int, speeds: tuple[Speed, ...]) -> Line:
    return Line(
        label,
        index,
        tuple(float(speed.depth) for speed in speeds),
        tuple(speed.tokens_per_s for speed in speeds),
        tuple(speed.low for speed in speeds),
        tuple(speed.high for speed in speeds),
    )


def _bar(label: str, index: int, speed: Speed) -> Bar:
    return Bar(label, index, speed.tokens_per_s, speed.low, speed.high)


def _alt(name: str, lines: tuple[Line, ...]) -> str:
    told = (
        f"{line.label} goes from {line.y[0]:.2f} t/s at {line.x[0]:.0f} to {line.y[-1]:.2f} t/s at {line.x[-1]:.0f}"
        for line in lines
    )
    return f"{name} in tokens per second against tokens in the KV cache. " + "; ".join(told) + "."
