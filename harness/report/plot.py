"""Figures for a post, in the style of the pull request's: PP and TG against N_KV, a curve per variant, with intervals.

Each file stands alone: model, stand-in, machine and legend are in the picture.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.records.record import Record
from harness.report import figures
from harness.report.charts import Chart, LineChart
from harness.report.palette import LIGHT, dash, marker, variant_name
from harness.report.published import find
from harness.report.sections.curves import phase_chart
from harness.report.sections.machine import distinct, one_line
from harness.report.sections.published import beside
from harness.report.speeds import PHASES
from harness.report.text import clean
from harness.report.variants import Group, groups

Kind = Literal["png", "svg"]

WIDTH, HEIGHT = 6.2, 4.8


def write_plots(
    records: Sequence[Record], out_dir: Path, kind: Kind = "png", references: Sequence[str] = ()
) -> tuple[Path, ...]:
    """A file per group of variants that has something to draw; the paths written. `references`: published figures."""
    records = tuple(clean(record) for record in records)
    machine = "; ".join(map(one_line, distinct(records)))
    out_dir.mkdir(parents=True, exist_ok=True)
    paths = []
    for group in groups(records):
        figure = plot(group, machine, references)
        if figure is not None:
            path = out_dir / f"{group.key}-{file_name(group.title)}.{kind}"
            path.write_bytes(figures.image(figure, kind))
            paths.append(path)
    return tuple(paths)


def plot(group: Group, machine: str, references: Sequence[str] = ()) -> Figure | None:
    """PP and TG side by side; None if neither was measured."""
    sweeps = [table for table in find(references)[0] if table.kind == "sweep"]
    found = [beside(group, phase, sweeps) or phase_chart(group, phase) for phase in PHASES]
    charts = [chart for chart in found if chart is not None]
    if not charts:
        return None
    with figures.style():
        return _drawn(group, machine, charts)


def _drawn(group: Group, machine: str, charts: Sequence[Chart]) -> Figure:
    figure = figures.blank(WIDTH * len(charts), HEIGHT)
    for place, chart in enumerate(charts):
        axes = figure.add_subplot(1, len(charts), place + 1)
        figures.draw(axes, chart)
        axes.set_title(chart.title, loc="left")
        if isinstance(chart, LineChart):
            axes.set_ylabel(chart.y_label)
    figure.suptitle(f"{group.title}\n{machine}", x=0.01, ha="left", fontsize=10)
    handles = _handles(charts)
    if handles:
        columns = 1 if any(len(str(handle.get_label())) > 30 for handle in handles) else 4
        figure.legend(handles=handles, loc="outside lower left", ncols=columns, frameon=False)
    return figure


def file_name(title: str) -> str:
    """A title as part of a file's name: nothing in it can leave the folder."""
    return re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")[:60].lower() or "figure"


def _handles(charts: Sequence[Chart]) -> list[Line2D]:
    """A legend entry per curve; bars carry their names."""
    lines = {line.label: line for chart in charts if isinstance(chart, LineChart) for line in chart.lines}
    return [
        Line2D([], [], color=LIGHT[variant_name(v.variant)], marker=marker(v.variant), ls=dash(v.variant), label=label)
        for label, v in lines.items()
    ]
