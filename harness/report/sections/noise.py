"""How quiet the machine was: every sample against its row's mean over time, and what else ran."""

import statistics
from collections.abc import Callable, Sequence

from harness.records.timing import Row as Measured
from harness.records.timing import Sample
from harness.report import numbers
from harness.report.blocks import Block, Row, Section
from harness.report.charts import Cloud, CloudChart
from harness.report.speeds import counted, is_valid, phase_of
from harness.report.table import Cell, Column, Table, nothing, number, words
from harness.report.variants import Group

MOST_POINTS = 3000
"""Per variant: what a figure can show; the list of samples has them all."""


def section(found: Sequence[Group]) -> Section | None:
    """One chart per group and one table of all."""
    charts = tuple(chart for group in found if (chart := noise_chart(group)) is not None)
    rows = tuple(row for group in found for row in _rows(group))
    if not rows:
        return None
    heads = ("samples", "not counted", "spread", "other processes", "page faults", "migrations", "MHz")
    columns = (Column("variant", "text"), *map(Column, heads), Column("throttled by", "text"))
    note = "Spread: standard deviation over mean, median of the rows. Other processes: their share of all cores, mean."
    table = Table("noise-table", "What else the samples saw", columns, rows, note)
    blocks: tuple[Block, ...] = ((Row(charts),) if charts else ()) + (table,)
    return Section("noise", "Noise", "Noise", blocks)


def noise_chart(group: Group) -> CloudChart | None:
    """Percent above the row's mean time, over minutes since the first sample."""
    every = _points(group)
    start = min((sample.start_ns for _, sample, _, _ in every), default=0)
    clouds = []
    for variant in group.variants:
        points = [(s, mean, ok) for index, s, mean, ok in every if index == variant.index][:MOST_POINTS]
        clouds.append(
            Cloud(
                variant.label,
                variant.index,
                tuple((s.start_ns - start) / 60e9 for s, _, _ in points),
                tuple((s.total_ns / mean - 1) * 100 for s, mean, _ in points),
                tuple(not ok for _, _, ok in points),
            )
        )
    if not any(cloud.x for cloud in clouds):
        return None
    spread = max(abs(y) for cloud in clouds for y in cloud.y)
    return CloudChart(
        key=f"{group.key}-noise",
        title="Every sample over time; hollow ones do not count",
        alt=f"Each sample's time against its row's mean, over time. The farthest lies {spread:.1f} percent off.",
        x_label="minutes since the first sample",
        y_label="time, % off the mean",
        clouds=tuple(clouds),
    )


def _points(group: Group) -> list[tuple[int, Sample, float, bool]]:
    """(variant, sample, mean time of its row, whether it counts)."""
    found = []
    for variant in group.variants:
        for record in group.of(variant):
            for row in record.rows:
                good = counted(row)
                if phase_of(row) is None or not good or not is_valid(record):
                    continue
                mean = statistics.fmean(sample.total_ns for sample in good)
                counts = set(map(id, good))
                found += [(variant.index, sample, mean, id(sample) in counts) for sample in row.samples]
    return found


def _rows(group: Group) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for variant in group.variants:
        measured = [row for record in group.of(variant) for row in record.rows if phase_of(row)]
        samples = [sample for row in measured for sample in row.samples]
        if not samples:
            continue
        n_counted = sum(len(counted(row)) for row in measured)
        rows.append(
            (
                words(variant.label, variant=variant.index),
                number(len(samples), str(len(samples))),
                number(len(samples) - n_counted, str(len(samples) - n_counted)),
                _spread_cell(measured),
                _mean_cell([s.contention.foreign_cpu for s in samples], numbers.percent),
                _mean_cell([s.contention.major_faults for s in samples], _tenths),
                _mean_cell([s.contention.migrations for s in samples], _tenths),
                _mean_cell([s.contention.mean_mhz for s in samples], numbers.count),
                words(", ".join(sorted({name for s in samples for name in s.contention.throttle}))),
            )
        )
    return rows


def _spread_cell(measured: Sequence[Measured]) -> Cell:
    times = [[sample.total_ns for sample in counted(row)] for row in measured]
    spreads = [statistics.stdev(ns) / statistics.fmean(ns) for ns in times if len(ns) > 1]
    if not spreads:
        return nothing()
    middle = statistics.median(spreads)
    return number(middle, numbers.percent(middle, 2))


def _mean_cell(values: Sequence[float | None], text: Callable[[float], str]) -> Cell:
    known = [value for value in values if value is not None]
    return number(statistics.fmean(known), text(statistics.fmean(known))) if known else nothing()


def _tenths(value: float) -> str:
    return numbers.fixed(value, 1)
