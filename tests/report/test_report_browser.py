"""The pages in a real browser, without a network: quiet, accessible, usable by mouse, by keyboard or neither."""

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import made_history
import made_profiles
import made_runs as made
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from harness.report.document import run_document
from harness.report.html import render
from harness.report.nightly import render_history
from harness.report.view_server import Source, server

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SCHEMES = ("light", "dark")
SWEEP = made.Test("sweep", 512, 32, tuple(range(0, 5121, 1024)))
PAIR = "#g0-pair-1-3"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.fail("no Chromium on this machine, so the report is unproven. Install it: sudo apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        pytest.fail("axe-core is not installed, so accessibility is unproven. Install it: npm install")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run with every section, and a nightly page, as files."""
    records = (
        *made.four_cells(tests=(SWEEP, *made.TESTS[1:])),
        made.failed(made.record(made.TESTS[1])),
        made.imported(made.record(made.TESTS[2])),
    )
    profiles = tuple(cell for test in (made.Test("pp", 64), made.Test("tg", 0, 4)) for cell in made_profiles.cube(test))
    text = made.YAML + "report: {reference: [ik-1137, ml-18740, nothing]}\n"
    made_pages = {
        "run": render(run_document(made.info(records, text), records, profiles=profiles)),
        "nightly": render_history(made_history.history(24, 12)),
    }
    folder = tmp_path_factory.mktemp("pages")
    for name, page in made_pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made_pages}


@dataclass
class Opened:
    """A page, and all it said and asked for."""

    page: Page
    heard: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


Open = Callable[..., Opened]


@pytest.fixture
def opened(browser: Browser, pages: dict[str, Path]) -> Iterator[Open]:
    contexts: list[BrowserContext] = []

    def open_page(
        name: str, *, width: int = 1440, height: int = 900, scheme: str = "light", **options: object
    ) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_offline(True)
        result = Opened(context.new_page())
        result.page.on("console", lambda message: result.heard.append(message.text))
        result.page.on("pageerror", lambda error: result.heard.append(str(error)))
        result.page.on("request", lambda request: result.asked.append(request.url))
        result.page.goto(pages[name].as_uri())
        return result

    yield open_page
    for context in contexts:
        context.close()


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["run", "nightly"])
def test_a_page_asks_for_nothing_and_says_nothing(opened: Open, pages: dict[str, Path], name: str, scheme: str) -> None:
    found = opened(name, scheme=scheme)
    unfold(found.page)
    found.page.wait_for_timeout(100)
    assert found.heard == []
    assert [address for address in found.asked if not address.startswith("data:")] == [pages[name].as_uri()]


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("run", 1440, "light"),
        ("run", 1440, "dark"),
        ("run", 360, "light"),
        ("nightly", 1440, "light"),
        ("nightly", 1440, "dark"),
    ],
)
def test_axe_finds_nothing_wrong(opened: Open, axe: str, name: str, width: int, scheme: str) -> None:
    page = opened(name, width=width, scheme=scheme).page
    unfold(page)
    page.evaluate(axe)
    report = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    wrong = [(v["id"], v["impact"], [node["html"][:200] for node in v["nodes"][:3]]) for v in report["violations"]]
    assert wrong == []


@pytest.mark.parametrize("width", [320, 360, 768, 1440])
@pytest.mark.parametrize("name", ["run", "nightly"])
def test_no_page_is_wider_than_its_screen(opened: Open, name: str, width: int) -> None:
    page = opened(name, width=width).page
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_pair_of_variants_is_seen_whole_on_a_laptop(opened: Open) -> None:
    """Its ratios stand in the last columns."""
    page = opened("run", width=1280).page
    assert page.locator(f"{PAIR} table").evaluate("table => table.scrollWidth <= table.parentElement.clientWidth")


def column(page: Page, table: str, place: int) -> list[str]:
    cells = page.locator(f"{table} tbody tr:not([hidden]) td:nth-child({place})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_a_click_on_a_heading_sorts_by_number_and_a_third_restores(opened: Open) -> None:
    page = opened("run").page
    heading = page.locator(f"{PAIR} thead tr:last-child th").nth(4)
    before = column(page, PAIR, 5)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column(page, PAIR, 5) == sorted(before, key=float)
    assert column(page, PAIR, 3) == sorted(column(page, PAIR, 3), key=int, reverse=True)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert column(page, PAIR, 5) == sorted(before, key=float, reverse=True)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") is None
    assert column(page, PAIR, 5) == before


def test_the_keyboard_sorts_too_and_shows_where_it_is(opened: Open) -> None:
    page = opened("run").page
    page.locator(f"{PAIR} thead tr:last-child th").nth(2).get_by_role("button").focus()
    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.closest('th').dataset.head")
    assert focused == "merge off, fuse on: T_PP s"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    times = [float(text) for text in column(page, PAIR, 4)]
    assert times == sorted(times, reverse=True)


def test_ratios_sort_by_their_value_and_empty_cells_stay_last(opened: Open) -> None:
    page = opened("run").page
    page.locator(f"{PAIR} thead tr:last-child th").nth(11).get_by_role("button").click()
    ratios = [float(text.split()[0].lstrip("×")) for text in column(page, PAIR, 12)]
    assert ratios == sorted(ratios)
    unfold(page)
    heads = page.locator("#g0-limits-table thead th").evaluate_all("all => all.map((th) => th.dataset.head)")
    place = heads.index("bandwidth: ram_4k")
    page.locator("#g0-limits-table thead th").nth(place).get_by_role("button").click()
    shares = column(page, "#g0-limits-table", place + 1)
    assert "–" in shares
    assert "–" not in shares[: len(shares) - shares.count("–")]


def test_words_filter_rows_and_the_number_left_is_said(opened: Open) -> None:
    page = opened("run").page
    page.get_by_label("Filter rows of: What the run saw of the machine").fill("kern 6.1")
    assert column(page, "#machine-0", 1) == ["kernel"]
    assert page.locator("#said").inner_text() == "1 of 11 rows"
    page.get_by_label("Filter rows of: What the run saw of the machine").fill("")
    assert len(column(page, "#machine-0", 1)) == 11


def copied(page: Page, table: str, kind: str) -> str:
    stand_in = "{configurable: true, value: {writeText: async (text) => { window.copied = text; }}}"
    page.evaluate(f"Object.defineProperty(navigator, 'clipboard', {stand_in})")
    page.locator(f"{table} .tools").get_by_role("button", name=kind).click()
    expect(page.locator("#said")).to_have_text(f"Table as {kind} copied")
    return str(page.evaluate("window.copied"))


def test_a_table_is_copied_as_markdown_with_the_bands_in_its_headings(opened: Open) -> None:
    lines = copied(opened("run").page, PAIR, "Markdown").splitlines()
    assert lines[0].startswith("| PP | TG | N_KV | merge off, fuse on: T_PP s | merge off, fuse on: S_PP t/s |")
    assert lines[1] == "| " + " | ".join(["---:"] * 13) + " |"
    assert len(lines) == 2 + len(SWEEP.depths)
    assert lines[2].split("|")[3].strip() == "0"


def test_a_table_is_copied_as_csv_as_it_is_filtered(opened: Open) -> None:
    page = opened("run").page
    page.get_by_label("Filter rows of: merge off, fuse on and merge on, fuse on").fill("4096")
    header, row = copied(page, PAIR, "CSV").splitlines()
    assert header.startswith('PP,TG,N_KV,"merge off, fuse on: T_PP s"')
    assert row.startswith("512,32,4096,")


def test_figures_change_colour_with_the_scheme_and_print_in_light(opened: Open) -> None:
    stroke = "getComputedStyle(document.querySelector('#g0-pp svg path[class]:nth-of-type(n+6)')).stroke"
    ink = "getComputedStyle(document.querySelector('#g0-pp svg text')).fill"
    seen = {scheme: opened("run", scheme=scheme).page.evaluate(f"[{stroke}, {ink}]") for scheme in SCHEMES}
    assert seen["light"] != seen["dark"]
    page = opened("run", scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(f"[{stroke}, {ink}]") == seen["light"]
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"


def test_the_waterfall_is_drawn_with_its_figures_below_it_and_the_rest_behind_a_disclosure(opened: Open) -> None:
    page = opened("run").page
    section = page.locator("#why")
    assert section.locator("figure svg[role=img]").count() == 2, "a chart for pp64 and one for tg4"
    chart = page.locator("#why-0-chart")
    assert "merge on: −0.10 ms" in chart.locator("svg text").filter(has_text="merge on").first.inner_html()
    label = chart.locator("svg[role=img]").get_attribute("aria-label") or ""
    assert label.startswith("Change of time in operations, step by step from merge off, fuse off, path per_expert")
    assert column(page, "#why-0-steps", 1)[-1] == "all steps"
    assert column(page, "#why-0-steps", 3)[-1].startswith("−2.50 ms")
    assert chart.bounding_box()["y"] < page.locator("#why-0-steps").bounding_box()["y"]  # type: ignore[index]
    assert len(column(page, "#why-0-choices", 1)) == 12
    assert not page.locator("#why-0-ops").is_visible()


def test_the_nightly_page_is_filtered_by_what_a_series_is(opened: Open) -> None:
    page = opened("nightly").page
    shown = page.locator(".card:not([hidden])")
    assert shown.count() == 24
    page.get_by_label("verdict").select_option("SLOWER")
    assert shown.count() == 3
    assert set(page.locator(".card:not([hidden]) .badge").all_text_contents()) == {"▼ SLOWER"}
    page.get_by_label("model").select_option("qwen3-30b-a3b")
    assert shown.count() == 1
    page.get_by_label("words").fill("no such words")
    assert shown.count() == 0
    assert page.locator("#shown").inner_text() == "0 of 24 series"


def test_the_nightly_page_is_ordered_by_what_matters_or_by_name(opened: Open) -> None:
    page = opened("nightly").page
    first = page.locator(".card .badge").first
    expect(first).to_have_text("▼ SLOWER")  # text as it stands: the page draws a card only where it is looked at
    page.get_by_label("order").select_option("name")
    names = page.locator(".card h3").all_text_contents()
    assert names == sorted(names)
    page.get_by_label("order").select_option("")
    expect(first).to_have_text("▼ SLOWER")


def test_a_page_is_whole_without_scripts(opened: Open) -> None:
    page = opened("run", java_script_enabled=False).page
    assert page.locator(f"{PAIR} tbody tr").count() == len(SWEEP.depths)
    assert page.locator("button").count() == 0
    assert opened("nightly", java_script_enabled=False).page.locator(".card").count() == 24


def test_ten_thousand_sessions_open_and_filter(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "history.html"
    path.write_text(render_history(made_history.history(150, 67)), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    page.get_by_label("verdict").select_option("SLOWER")
    assert page.locator("#shown").inner_text() == "19 of 150 series"
    page.locator(".card:not([hidden]) summary").first.click()
    assert page.locator(".card:not([hidden]) details[open] tbody tr").count() == 67
    page.close()


@pytest.mark.parametrize("goes_on", ["while the page is made", "later"])
def test_a_served_report_reloads_when_its_run_goes_on(browser: Browser, goes_on: str) -> None:
    records = made.pair(tests=made.TESTS[1:])
    measured = [records[:2]]

    def read(_name: str) -> object:
        found = measured[-1]
        if goes_on == "while the page is made" and len(measured) == 1:
            measured.append(records)
        return made.info(records), found, ()

    made_server = server(Source(lambda: ["run"], read, lambda _name: str(len(measured))))  # type: ignore[arg-type]
    thread = threading.Thread(target=made_server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    page = browser.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    try:
        page.goto(f"http://127.0.0.1:{made_server.server_port}/run/run")
        if goes_on == "later":
            assert page.locator("#g0-tests-table tbody tr").count() == 1
            measured.append(records)
        expect(page.locator("#g0-tests-table tbody tr")).to_have_count(2)
    finally:
        page.close()
        made_server.shutdown()
        thread.join()
        made_server.server_close()
    assert heard == []


def test_the_title_says_which_run_it_is(opened: Open) -> None:
    assert opened("run").page.title() == "gptoss-muge · harness"
    assert opened("nightly").page.title() == "nightly · harness"
