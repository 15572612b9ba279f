"""Charts drawn by matplotlib: the one module that imports it. The same chart always gives the same bytes.

Text stays text, so a browser sets it in the page's own font and a search finds it; "$" is a dollar, never mathematics.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from harness.report.charts import Bar, BarChart, Chart, CloudChart, HeatMap, LineChart, StackedChart, Waterfall
from harness.report.numbers import fixed
from harness.report.palette import LIGHT, dash, marker, variant_name

WIDTH, HEIGHT = 6.4, 3.6
BAR_HEIGHT = 0.42
MOST_TICKS = 6
LEFT, BAR_LEFT, RIGHT, TOP, BOTTOM = 0.56, 0.24, 0.2, 0.1, 0.56
"""Margins in inches."""

SAVED, SPENT = 2, 1
"""The colours of changes for the better and for the worse; their signs are words beside them."""

BEHIND = {"facecolor": LIGHT["card"], "edgecolor": "none", "pad": 0.6}

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "harness",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.edgecolor": LIGHT["soft"],
    "axes.labelcolor": LIGHT["ink"],
    "axes.linewidth": 0.8,
    "axes.labelpad": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": LIGHT["grid"],
    "grid.linewidth": 0.8,
    "xtick.color": LIGHT["soft"],
    "ytick.color": LIGHT["soft"],
    "xtick.labelcolor": LIGHT["ink"],
    "ytick.labelcolor": LIGHT["ink"],
    "text.color": LIGHT["ink"],
    "path.simplify": False,
    "axes.prop_cycle": cycler(color=[LIGHT["ink"]]),
}


@lru_cache(maxsize=128)
def svg(chart: Chart) -> str:
    """The chart as an SVG document without legend, for a page that has one of its own.

    Kept, since a page that is served anew has changed in few of its charts.
    """
    with style():
        figure = figure_of(chart)
        FigureCanvasSVG(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def image(figure: Figure, kind: str, dpi: int = 160) -> bytes:
    """A figure as a PNG or SVG file on white."""
    with style():
        FigureCanvasAgg(figure) if kind == "png" else FigureCanvasSVG(figure)
        out = io.BytesIO()
        metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
        figure.savefig(out, format=kind, dpi=dpi, facecolor=LIGHT["paper"], metadata=metadata)
    return out.getvalue()


def figure_of(chart: Chart) -> Figure:
    """The chart alone on a figure of its own size."""
    with style():
        height = _height(chart)
        figure = Figure(figsize=(WIDTH, height))
        # Fixed margins: panels line up, and a narrow screen may enlarge the labels into them.
        left = BAR_LEFT if isinstance(chart, BarChart | StackedChart | Waterfall) else LEFT
        figure.subplots_adjust(left / WIDTH, BOTTOM / height, 1 - RIGHT / WIDTH, 1 - TOP / height)
        draw(figure.add_subplot(), chart)
    return figure


def blank(width: float, height: float) -> Figure:
    """An empty figure, in inches, that lays itself out."""
    return Figure(figsize=(width, height), layout="constrained")


def draw(axes: Axes, chart: Chart) -> None:
    """The chart on given axes."""
    painters: dict[type, Callable[[Axes, Any], None]] = {
        LineChart: _lines,
        BarChart: _bars,
        StackedChart: _stacks,
        Waterfall: _falls,
        CloudChart: _clouds,
        HeatMap: _heat,
    }
    painters[type(chart)](axes, chart)


@contextmanager
def style() -> Iterator[None]:
    """What every figure is made and saved in; outside of it matplotlib's defaults would show."""
    with mpl.rc_context(STYLE), warnings.catch_warnings():  # type: ignore[arg-type]
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _height(chart: Chart) -> float:
    if isinstance(chart, BarChart):
        return 0.6 + BAR_HEIGHT * sum(1.2 + len(bars) for _, bars in chart.groups)
    if isinstance(chart, StackedChart):
        return 0.6 + 0.5 * len(chart.bars)
    if isinstance(chart, Waterfall):
        return 0.6 + BAR_HEIGHT * sum(1.2 + len(falls) for _, falls in chart.steps)
    if isinstance(chart, HeatMap):
        return min(6.0, 1.0 + 0.16 * len(chart.cells))
    return HEIGHT


def _lines(axes: Axes, chart: LineChart) -> None:
    for place, line in enumerate(chart.lines):
        # Later curves are drawn thinner, so that one that hides another still shows it.
        weight = max(0.0, 1 - place / 3)
        colour = LIGHT[variant_name(line.variant)]
        style: dict[str, Any] = {
            "color": colour,
            "marker": marker(line.variant),
            "markersize": 4.2 + 2.4 * weight,
            "linewidth": 1.3 + weight,
        }
        axes.plot(line.x, line.y, dash(line.variant), **style)
        known = [
            (x, y, a, b)
            for x, y, a, b in zip(line.x, line.y, line.low, line.high, strict=False)
            if a is not None and b is not None
        ]
        if known:
            spread = [[y - a for _, y, a, _ in known], [b - y for _, y, _, b in known]]
            axes.errorbar(
                [k[0] for k in known],
                [k[1] for k in known],
                yerr=spread,
                fmt="none",
                ecolor=colour,
                elinewidth=1.1,
                capsize=2.5,
            )
    axes.set_xlabel(chart.x_label)
    _ticks(axes, chart)
    if chart.log_y:
        axes.set_yscale("log")
    elif chart.around_zero:
        axes.axhline(0, color=LIGHT["soft"], linewidth=0.8)
    else:
        axes.set_ylim(bottom=0)
    if not chart.log_y:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(_thousands if axes.get_ylim()[1] >= 10_000 else _plain))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y")


def _ticks(axes: Axes, chart: LineChart) -> None:
    """At positions that were measured, as many as can be read."""
    if chart.ticks:
        axes.set_xticks(range(len(chart.ticks)), chart.ticks)
        return
    measured = sorted({x for line in chart.lines for x in line.x})
    least = (measured[-1] - measured[0]) / MOST_TICKS
    chosen = measured[:1]
    for x in measured[1:]:
        if x - chosen[-1] >= least:
            chosen.append(x)
    axes.set_xticks(chosen, [f"{x:.0f}" for x in chosen])


def _bars(axes: Axes, chart: BarChart) -> None:
    at = 0.0
    for group, bars in chart.groups:
        if len(chart.groups) > 1:
            _note(axes, at, group, weight="bold")
            at += 0.9
        for bar in bars:
            shown = "not measured" if bar.value is None else f"{fixed(bar.value, chart.digits)}{chart.unit}"
            _note(axes, at, f"{bar.label}: {shown}")
            _bar(axes, at + 0.42, bar)
            at += 1
        at += 0.3
    _finish_bars(axes, at - 0.3, chart.x_label)


def _bar(axes: Axes, at: float, bar: Bar) -> None:
    if bar.value is None:
        return
    axes.barh(at, bar.value, height=0.34, color=LIGHT[variant_name(bar.variant)])
    if bar.low is not None and bar.high is not None:
        spread = [[bar.value - bar.low], [bar.high - bar.value]]
        axes.errorbar([bar.value], [at], xerr=spread, fmt="none", ecolor=LIGHT["ink"], elinewidth=1.2, capsize=3)


def _stacks(axes: Axes, chart: StackedChart) -> None:
    for place, (label, _, amounts) in enumerate(chart.bars):
        _note(axes, place, f"{label}: {fixed(sum(amounts), 2)} {chart.x_label}")
        left = 0.0
        for part, amount in enumerate(amounts):
            colours: dict[str, Any] = {"color": LIGHT[f"p{part % 8}"], "edgecolor": LIGHT["card"]}
            axes.barh(place + 0.45, amount, left=left, height=0.44, linewidth=0.8, **colours)
            left += amount
    _finish_bars(axes, len(chart.bars), chart.x_label)


def _falls(axes: Axes, chart: Waterfall) -> None:
    at, level = 0.0, 0.0
    for step, falls in chart.steps:
        _note(axes, at, step, weight="bold")
        at += 0.9
        for fall in falls:
            _note(axes, at, f"{fall.label}: {chart.said(fall)}")
            colour = LIGHT[variant_name(SAVED if fall.change <= 0 else SPENT)]
            axes.barh(at + 0.42, fall.change, left=level, height=0.34, color=colour)
            if fall.low is not None and fall.high is not None:
                spread = [[fall.change - fall.low], [fall.high - fall.change]]
                end: dict[str, Any] = {"fmt": "none", "ecolor": LIGHT["ink"], "elinewidth": 1.2, "capsize": 3}
                axes.errorbar([level + fall.change], [at + 0.42], xerr=spread, **end)
            level += fall.change
            axes.plot([level, level], [at + 0.25, at + 1.59], color=LIGHT["soft"], linewidth=0.8)
            at += 1
        at += 0.3
    _finish_bars(axes, at - 0.3, chart.x_label)


def _note(axes: Axes, at: float, text: str, weight: str = "normal") -> None:
    """A label above its bar, so that a long one needs no margin and a narrow screen shows it whole."""
    axes.text(0.006, at, text, transform=axes.get_yaxis_transform(), va="center", weight=weight, bbox=BEHIND)


def _finish_bars(axes: Axes, bottom: float, x_label: str) -> None:
    axes.set_ylim(bottom - 0.1, -0.4)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=LIGHT["soft"], linewidth=0.8)
    axes.set_xlabel(x_label)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="x")
    axes.set_axisbelow(True)


def _clouds(axes: Axes, chart: CloudChart) -> None:
    for cloud in chart.clouds:
        colour = LIGHT[variant_name(cloud.variant)]
        for hollow in (False, True):
            chosen = [(x, y) for x, y, h in zip(cloud.x, cloud.y, cloud.hollow, strict=True) if h == hollow]
            if chosen:
                axes.plot(
                    [x for x, _ in chosen],
                    [y for _, y in chosen],
                    linestyle="none",
                    marker=marker(cloud.variant),
                    markersize=3.5,
                    markeredgecolor=colour,
                    markerfacecolor="none" if hollow else colour,
                )
    axes.axhline(0, color=LIGHT["soft"], linewidth=0.8)
    axes.set_xlabel(chart.x_label)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.grid(axis="y")


def _heat(axes: Axes, chart: HeatMap) -> None:
    axes.imshow(chart.cells, aspect="auto", cmap="viridis", vmin=0, vmax=3, interpolation="none")
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)


def _plain(value: float, _position: object) -> str:
    return f"{value:g}".replace("-", "−")


def _thousands(value: float, _position: object) -> str:
    return f"{value / 1000:g}k" if value else "0"
