"""Time from token to token and to the first token: percentiles, because a mean hides the pauses people feel."""

from collections.abc import Sequence

from harness.records.record import Record
from harness.report import numbers
from harness.report.blocks import Row, Section
from harness.report.charts import Line, LineChart
from harness.report.speeds import counted, curve, is_valid
from harness.report.table import Cell, Column, Table, nothing, number, words
from harness.report.variants import Group, Variant

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 100.0)
NAMES = ("p50", "p90", "p95", "p99", "max")


def section(group: Group) -> Section | None:
    """Percentiles over every generated token at the shallowest depth of each variant, and the time to the first one."""
    tokens = {variant: _token_ns(group.of(variant)) for variant in group.variants}
    measured = [(variant, ns) for variant, ns in tokens.items() if ns]
    if not measured and not any(_ttft_ns(group.of(variant)) for variant in group.variants):
        return None
    table = _table(group, tokens)
    blocks = (Row((_chart(group, measured),), table) if measured else table,)
    return Section(f"{group.key}-latency", "Latency", "Latency", blocks)


def percentile(ordered: Sequence[int], share: float) -> int:
    """The nearest-rank percentile of ascending values: always a time that really occurred."""
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 10_000) - 1)]


def _token_ns(records: Sequence[Record]) -> tuple[int, ...]:
    speeds = curve(records, "tg")
    if not speeds:
        return ()
    return tuple(sorted(ns for sample in counted(speeds[0].row) for ns in sample.token_ns))


def _ttft_ns(records: Sequence[Record]) -> int | None:
    times = [record.ttft_ns for record in records if record.ttft_ns is not None and is_valid(record)]
    return times[0] if times else None


def _chart(group: Group, measured: Sequence[tuple[Variant, Sequence[int]]]) -> LineChart:
    lines = tuple(
        Line(
            v.label, v.index, tuple(map(float, range(len(NAMES)))), tuple(percentile(ns, p) / 1e6 for p in PERCENTILES)
        )
        for v, ns in measured
    )
    told = "; ".join(f"{line.label}: half below {line.y[0]:.2f} ms, all below {line.y[-1]:.2f} ms" for line in lines)
    return LineChart(
        key=f"{group.key}-latency-chart",
        title="Time per generated token",
        alt=f"Percentiles of the time per token in milliseconds. {told}.",
        x_label="percentile of tokens",
        y_label="ms per token",
        lines=lines,
        ticks=NAMES,
    )


def _table(group: Group, tokens: dict[Variant, tuple[int, ...]]) -> Table:
    columns = (
        Column("variant", "text"),
        *(Column(f"{name} ms") for name in NAMES),
        Column("tokens"),
        Column("first token"),
    )
    rows = tuple(
        (
            words(variant.label, variant=variant.index),
            *(_ms(percentile(ns, p)) if ns else nothing() for p in PERCENTILES),
            number(len(ns), numbers.count(len(ns))),
            _first(_ttft_ns(group.of(variant))),
        )
        for variant, ns in tokens.items()
    )
    note = "Per token at the shallowest depth. First token: the prompt of the first test with an empty cache, median."
    return Table(f"{group.key}-latency-table", "Time per generated token", columns, rows, note)


def _ms(ns: int) -> Cell:
    return number(ns, numbers.fixed(ns / 1e6, 2))


def _first(ns: int | None) -> Cell:
    return number(ns, numbers.duration(ns)) if ns is not None else nothing()
