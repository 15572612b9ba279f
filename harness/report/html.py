"""A document as one self-contained HTML file: no request leaves it, no foreign string becomes markup.

The content security policy allows exactly the style and the script that are in the file, by their hashes.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.report import figures
from harness.report.blocks import Document
from harness.report.charts import Chart, CloudChart, HeatMap, LineChart, StackedChart
from harness.report.document import comparison_document, run_document
from harness.report.palette import DARK, LIGHT, variant_name
from harness.report.svg import Sheet, inline
from harness.report.table import Cell, Table

EXTRA_LIGHT = {
    "link": "#00558a",
    "good": "#0a6b45",
    "bad": "#b3261e",
    "warn": "#7a5200",
    "warnback": "#fdf5e2",
    "badback": "#fdeceb",
    "stripe": "#f6f8fa",
    "hover": "#e9f1f7",
    "rule": "#b8c2cc",
}
EXTRA_DARK = {
    "link": "#7cc4ff",
    "good": "#5fd39b",
    "bad": "#ff8d85",
    "warn": "#eac15e",
    "warnback": "#2a2415",
    "badback": "#331b1a",
    "stripe": "#1c232b",
    "hover": "#23303c",
    "rule": "#46525f",
}
SYMBOLS = (
    "M0-5A5 5 0 1 0 0 5A5 5 0 1 0 0-5Z",
    "M-4.5-4.5H4.5V4.5H-4.5Z",
    "M0-5.5L5.5 4.5H-5.5Z",
    "M0-6L5 0L0 6L-5 0Z",
    "M0 5.5L5.5-4.5H-5.5Z",
    "M-2-5.5H2V-2H5.5V2H2V5.5H-2V2H-5.5V-2H-2Z",
    "M-5.5-3L-3-5.5L0-2.5L3-5.5L5.5-3L2.5 0L5.5 3L3 5.5L0 2.5L-3 5.5L-5.5 3L-2.5 0Z",
    "M0-5.5L5.2-1.7L3.2 4.5H-3.2L-5.2-1.7Z",
)
"""The shapes of matplotlib's markers, in the order of `palette.MARKERS`."""


def write_report(run_dir: Path, out_dir: Path, references: Sequence[str] = ()) -> Path:
    """The report of the run in `run_dir` as `out_dir`/index.html; the path written. `references`: published figures."""
    from harness.store.runs import read_run  # noqa: PLC0415  a page of records at hand needs no store

    run = read_run(run_dir)
    return write_page(render(run_document(run.info, run.records, references, run.profiles)), out_dir)


def write_comparison(base_dir: Path, run_dir: Path, out_dir: Path) -> Path:
    """The run in `run_dir` against the one in `base_dir` as `out_dir`/index.html; the path written."""
    from harness.store.runs import read_run  # noqa: PLC0415  as above

    base, run = read_run(base_dir), read_run(run_dir)
    return write_page(render(comparison_document((base.info, base.records), (run.info, run.records))), out_dir)


def write_page(page: str, out_dir: Path) -> Path:
    """`page` as `out_dir`/index.html, replaced whole, so that a reader never sees half of it."""
    out_dir.mkdir(parents=True, exist_ok=True)
    path = out_dir / "index.html"
    part = path.with_suffix(".part")
    part.write_text(page, encoding="utf-8")
    part.replace(path)
    return path


def render(document: Document, state: str = "") -> str:
    """The page of any document. With the `state` of what it shows it asks the server it came from, and nobody else,
    whether there is another by now.
    """
    scripts = ("page.js", "live.js") if state else ("page.js",)
    connect = "'self'" if state else ""
    title = f"{document.title} · harness"
    return render_template("page.html.jinja", scripts, title, connect, document=document, state=state)


def render_template(template: str, scripts: tuple[str, ...], title: str, connect: str = "", **content: object) -> str:
    """A template with the page's style, script and policy. Figures are drawn while the template asks for them."""
    sheet = Sheet()
    script = "\n".join(_asset(name) for name in scripts)

    def svg(chart: Chart) -> Markup:
        return Markup(inline(figures.svg(chart), chart.key, chart.alt, sheet))  # noqa: S704  escaped by ElementTree

    # The body is rendered first, since only then the classes of its figures are known.
    body = _environment().get_template(template).render(symbols=_symbols(), svg=svg, **content)
    css = f"{_theme()}\n{_asset('page.css')}\n{sheet.css}"
    page = _environment().get_template("frame.html.jinja")
    parts = {"body": Markup(body), "css": Markup(css), "script": Markup(script)}  # noqa: S704  rendered, or our own
    return page.render(title=title, policy=_policy(css, script, connect), **parts)


def _policy(css: str, script: str, connect: str) -> str:
    rules = [
        "default-src 'none'",
        f"style-src '{_hash(css)}'",
        f"script-src '{_hash(script)}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(rules + ([f"connect-src {connect}"] if connect else []))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _asset(name: str) -> str:
    return files("harness.report").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(loader=PackageLoader("harness.report"), autoescape=True, undefined=StrictUndefined)
    environment.globals.update(
        colour=lambda variant: f"c-{variant_name(variant)}",
        kind_of=lambda block: type(block).__name__,
        sort_value=_sort_value,
        cell_class=_cell_class,
        legend=_legend,
        symbol=_symbol,
    )
    return environment


def _theme() -> str:
    light, dark = LIGHT | EXTRA_LIGHT, DARK | EXTRA_DARK
    names = [name for name in LIGHT if name[0] in "vp" and name[1:].isdigit()] + ["reference"]
    colours = "".join(f".c-{name}{{color:var(--{name})}}" for name in names)
    return (
        f":root{{color-scheme:light dark;{_variables(light)}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables(dark)}}}}}{colours}"
    )


def _variables(colours: dict[str, str]) -> str:
    return ";".join(f"--{name}:{value}" for name, value in colours.items())


def _symbols() -> Markup:
    shapes = [f'<path id="m{n}" d="{d}"/>' for n, d in enumerate(SYMBOLS)]
    return Markup("".join(shapes))  # noqa: S704  constants


def _sort_value(cell: Cell) -> Markup:
    """The attribute a number sorts by, where its text alone would not do."""
    if cell.value is None or _reads_as(cell.text, cell.value):
        return Markup("")
    return Markup(' data-v="{}"').format(f"{cell.value:.9g}")


def _reads_as(text: str, value: float) -> bool:
    try:
        return abs(float(text) - value) <= 0.01 * abs(value)
    except ValueError:
        return False


def _cell_class(table: Table, place: int, cell: Cell) -> Markup:
    names = ["number"] if table.columns[place].kind == "number" else []
    names += ["edge"] if table.starts_band(place) else []
    names += ["named"] if cell.variant >= 0 else []
    names += [cell.tone] if cell.tone else []
    return Markup(' class="{}"').format(escape(" ".join(names))) if names else Markup("")


def _legend(chart: Chart) -> list[tuple[str, str, str]]:
    """(label, id of its symbol or "" for a patch, class of its colour); () where the figure names its bars itself."""
    named: Any = []
    match chart:
        case LineChart():
            named = [(line.label, line.variant) for line in chart.lines]
        case CloudChart():
            named = [(cloud.label, cloud.variant) for cloud in chart.clouds]
        case StackedChart():
            return [(part, "", f"c-p{number % 8}") for number, part in enumerate(chart.parts)]
        case HeatMap():
            return []
    return [(label, _symbol(v), f"c-{variant_name(v)}") for label, v in named]


def _symbol(variant: int) -> str:
    """The id of a variant's shape; what others published counts down from -1 and is dotted."""
    return f"m{variant % len(SYMBOLS)}" if variant >= 0 else f"m{(-1 - variant) % len(SYMBOLS)}"
