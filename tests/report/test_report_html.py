"""The page as a file: one, closed, the same every time, and small."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import made_history
import made_runs as made
import pytest
from jinja2 import UndefinedError

from harness.report import figures
from harness.report.charts import Line, LineChart
from harness.report.document import run_document
from harness.report.html import render, render_template, write_report
from harness.report.nightly import by_gravity, culprits, render_history
from harness.report.palette import DARK, LIGHT
from harness.report.sparkline import sparkline
from harness.report.svg import Sheet, inline
from harness.store.runs import write_info, write_record


def run_page() -> str:
    records = (*made.four_cells(), made.failed(made.record(made.TESTS[1])))
    text = made.YAML + "report: {reference: [ik-1137]}\n"
    return render(run_document(made.info(records, text), records))


PAGES = {"run": run_page(), "nightly": render_history(made_history.history())}


class Attributes(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, name, value or "") for name, value in attrs]


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_policy_allows_the_pages_own_style_and_script_by_hash_and_nothing_else(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    rules = policy[1].replace("&#39;", "'")

    def hashed(tag: str) -> str:
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()

    assert rules == (
        f"default-src 'none'; style-src 'sha256-{hashed('style')}'; script-src 'sha256-{hashed('script')}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_nothing_in_the_page_points_outside_of_it(page: str) -> None:
    for tag, name, value in Attributes(page).found:
        assert not name.startswith("on")
        assert name not in {"style", "src", "srcset", "action", "xlink:href"}
        if name == "href":
            assert value.startswith(("#", "data:")), (tag, value)
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)[0]
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_id_is_one_word_and_stands_once_and_every_reference_has_one(page: str) -> None:
    attributes = Attributes(page).found
    ids = [value for _, name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[A-Za-z][\w-]*", one) for one in ids)
    wanted = {value[1:] for _, name, value in attributes if name == "href" and value.startswith("#")}
    wanted |= {value for _, name, value in attributes if name == "aria-labelledby"}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert wanted <= set(ids)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_is_far_below_a_mebibyte(page: str) -> None:
    assert len(page.encode()) < 2**20 * 0.6


def test_the_same_records_give_the_same_bytes() -> None:
    figures.svg.cache_clear()
    assert run_page() == PAGES["run"]


def test_a_report_is_written_as_one_file_and_whole(tmp_path: Path) -> None:
    run_dir, records = tmp_path / "results" / made.RUN, made.pair(tests=made.TESTS[1:])
    run_dir.mkdir(parents=True)
    write_info(run_dir, made.info(records))
    for record in records:
        write_record(run_dir, record)
    path = write_report(run_dir, tmp_path / "reports" / made.RUN)
    assert path == tmp_path / "reports" / made.RUN / "index.html"
    assert [p.name for p in path.parent.iterdir()] == ["index.html"]
    assert path.read_text(encoding="utf-8") == render(run_document(made.info(records), records))


def test_a_name_a_template_does_not_know_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render_template("page.html.jinja", ("page.js",), "no document")


def test_figures_take_their_colours_from_the_page_and_leave_no_style_behind() -> None:
    chart = LineChart("k", "t", "what it shows", "x", "y", (Line("$a", 0, (0.0, 1.0), (1.0, 2.0)),))
    sheet = Sheet()
    drawn = inline(figures.svg(chart), "k", chart.alt, sheet)
    assert 'role="img"' in drawn
    assert 'aria-label="what it shows"' in drawn
    assert "style=" not in drawn
    assert "var(--v0)" in sheet.css
    assert not re.search(r"#[0-9a-f]{6}", sheet.css)


def test_every_chart_of_a_report_has_a_text_alternative_and_its_figures() -> None:
    page = PAGES["run"]
    n_figures = page.count("<figure")
    assert n_figures >= 10
    assert len(re.findall(r'<svg [^>]*role="img" aria-label="[^"]{20,}"', page)) == n_figures
    tables = page.count("<summary>Figures of this chart</summary>") + len(
        re.findall(r"</figure><div class=\"tablebox\"", page)
    )
    assert tables == n_figures


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_curve_stands_out_from_what_it_is_drawn_on(theme: dict[str, str]) -> None:
    for name, colour in theme.items():
        if name == "reference" or name[0] == "v":
            assert contrast(colour, theme["card"]) >= 3, name
    assert contrast(theme["ink"], theme["card"]) >= 7
    assert contrast(theme["soft"], theme["card"]) >= 4.5
    assert set(LIGHT) == set(DARK)


def test_the_nightly_page_puts_what_is_slower_first() -> None:
    ordered = by_gravity(made_history.history(16, 20).series)
    assert [series.verdict for series in ordered[:2]] == ["SLOWER", "SLOWER"]
    page = PAGES["nightly"]
    assert page.index("▼ SLOWER") < page.index("? CANNOT TELL") < page.index("▲ FASTER") < page.index("= SAME")


def test_the_nightly_page_names_the_commits_after_which_series_changed() -> None:
    history = made_history.history(8, 20)
    table = culprits(history.series, {commit.commit: commit for commit in history.commits})
    assert table is not None
    ((commit, subject, _, n_slower, worst, n_faster, best),) = table.rows
    assert (commit.text, subject.text) == (made_history.commit(15), "Change number 15")
    assert (n_slower.text, worst.text, n_faster.text, best.text) == ("1", "−5.0 %", "1", "+4.0 %")


def test_seconds_fall_where_speed_rises() -> None:
    """A ratio is always one of speeds; what is written and drawn beside it is the value's own change."""
    faster = made_history.series(5, 20)
    load = made_history.replaced(faster, higher_is_better=False, unit="s", metric="load", test="load")
    page = render_history(made_history.replaced(made_history.history(1, 1), series=(load,)))
    assert "▲ FASTER</span> −3.8 % [−4.3, −3.4] %" in page
    drawn = sparkline(load)
    assert drawn is not None
    assert [mark.mood for mark in drawn.marks] == ["good"]


def test_a_quiet_series_is_not_drawn_as_a_landslide() -> None:
    drawn = sparkline(made_history.series(0, 30))
    assert drawn is not None
    assert (drawn.top - drawn.bottom) / drawn.bottom > 0.04


def test_a_series_without_any_value_is_said_to_have_none() -> None:
    empty = made_history.replaced(made_history.series(0, 1), points=())
    assert sparkline(empty) is None
    assert "Nothing was measured yet." in render_history(
        made_history.replaced(made_history.history(1, 1), series=(empty,))
    )


def test_a_history_without_series_is_a_page_all_the_same() -> None:
    assert "There is no series yet" in render_history(made_history.history(0, 0))
