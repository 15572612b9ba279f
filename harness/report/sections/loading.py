"""Load by phase as stacked bars, and what the whole load took up to the first logits."""

import statistics

from harness.records.record import Record
from harness.report import numbers
from harness.report.blocks import Prose, Row, Section
from harness.report.charts import StackedChart
from harness.report.speeds import is_valid, load_times
from harness.report.variants import Group

PHASES = ("open", "metadata", "plan", "device", "read", "place", "upload", "first_token")


def section(group: Group) -> Section | None:
    """Phases are the median over a variant's cases, so that one cold file does not stand for all."""
    loaded = {v: _phases(group.of(v)) for v in group.variants}
    names = _ordered({name for phases in loaded.values() for name in phases})
    if not names:
        return None
    longest = max(sum(phases.values()) for phases in loaded.values())
    unit, scale = ("s", 1e9) if longest >= 1e9 else ("ms", 1e6)
    bars = tuple(
        (v.label, v.index, tuple(phases.get(n, 0) / scale for n in names)) for v, phases in loaded.items() if phases
    )
    told = "; ".join(f"{label} {sum(parts):.3f} {unit}" for label, _, parts in bars)
    chart = StackedChart(f"{group.key}-load", "Load by phase", f"Time to load by phase: {told}.", unit, names, bars)
    return Section(f"{group.key}-loading", "Load", "Load", (Row((chart,), chart.table()), *_totals(group)), brief=True)


def _phases(records: tuple[Record, ...]) -> dict[str, float]:
    reports = [record.load.phase_ns for record in records if record.load is not None and is_valid(record)]
    names = {name for report in reports for name in report}
    return {name: statistics.median(report.get(name, 0) for report in reports) for name in names}


def _ordered(names: set[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: (PHASES.index(name) if name in PHASES else len(PHASES), name)))


def _totals(group: Group) -> tuple[Prose, ...]:
    told = []
    for variant in group.variants:
        times = load_times(group.of(variant))
        if times:
            mean, least, most = (numbers.duration(ns) for ns in (statistics.fmean(times), min(times), max(times)))
            spread = f", {least} to {most}" if len(times) > 1 else ""
            told.append(f"{variant.label} {mean} (mean of {len(times)}{spread})")
    return (Prose("To the first logits with every page touched: " + "; ".join(told) + ".", "quiet"),) if told else ()
