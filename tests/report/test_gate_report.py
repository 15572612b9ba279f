import re
from xml.etree import ElementTree as ET

import pytest

from harness.records.history import Commit, History, HistoryPoint, Series, SeriesVerdict
from harness.report.gate import gate_document, gate_junit, gate_markdown, gate_tables, headline
from harness.report.series import series_document

HOSTILE = [
    "<script>alert(1)</script>",
    "a|b\nc",
    "@everyone [x](javascript:alert(1))",
    "]]></system-out><failure/>",
    "\x1b[31mred\x07\x00",
    "\ud800\uffff",
    "![](http://x/y.png)",
    "`code` $x$ ~~a~~",
]


def series(verdict: SeriesVerdict = "SAME", name: str = "m", **changes: object) -> Series:
    point = HistoryPoint(run="r", time="2026-01-02T00:00:00Z", commit="abc", value=123.4, n_samples=5)
    made = {
        "series_id": "0" * 16,
        "model": name,
        "device": "cpu:0",
        "test": "tg128",
        "variant": "merge_up_gate=on",
        "metric": "tg",
        "unit": "t/s",
        "points": (point,),
        "verdict": verdict,
        "ratio": 0.95,
        "low": 0.94,
        "high": 0.96,
        "baseline": "20 nights up to abc",
        "reason": "in 5 fresh sessions",
    }
    return Series(**{**made, **changes})  # type: ignore[arg-type]


def history(*every: Series) -> History:
    return History("nightly on a machine", "2026-01-02T00:00:00Z", every)


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["SAME", "SLOWER", "CANNOT TELL"], "1 of 3 series slower"),
        (["SAME", "CANNOT TELL", "FAILED"], "2 of 3 series could not be judged"),
        (["SAME", "FASTER", "NO BASELINE"], "No regression in 2 series"),
        (["NO BASELINE"], "too few earlier nights"),
        ([], "too few earlier nights"),
    ],
)
def test_the_headline_says_the_worst_first(verdicts: list[SeriesVerdict], said: str) -> None:
    assert said in headline(history(*map(series, verdicts)))


def test_the_comment_shows_what_is_loud_and_folds_what_is_quiet() -> None:
    text = gate_markdown(history(series("SLOWER", "loud"), series("SAME", "quiet")), [Commit("abc", "", "a change")])
    head, folded = text.split("<details>")
    assert "**loud, cpu:0**" in head
    assert "quiet" not in head
    assert "**quiet, cpu:0**" in folded
    assert "−5.0 %" in head
    assert "20 nights up to abc" in head
    assert "`abc` a change" in head


def test_what_matters_most_stands_first() -> None:
    every = [series("SAME", "a"), series("SLOWER", "b"), series("CANNOT TELL", "c"), series("SLOWER", "a", test="pp1")]
    tables = gate_tables(every)
    assert [table.caption[0] for table in tables] == ["a", "b", "c"] or [t.caption[0] for t in tables] == [
        "b",
        "a",
        "c",
    ]
    (two,) = [table for table in tables if table.caption[0] == "a"]
    assert [row[0].text for row in two.rows] == ["pp1", "tg128"]


def test_columns_nobody_fills_are_left_out() -> None:
    (table,) = gate_tables([series("SAME", variant="", reason="")])
    assert [column.head for column in table.columns] == ["test", "verdict", "speed [95 %]", "now"]


def test_junit_has_failures_errors_and_skips() -> None:
    verdicts: list[SeriesVerdict] = [
        "SLOWER",
        "INVALID",
        "FAILED",
        "CANNOT TELL",
        "NO BASELINE",
        "ACKNOWLEDGED",
        "SAME",
        "FASTER",
    ]
    suite = ET.fromstring(gate_junit(history(*map(series, verdicts)))).find("testsuite")
    assert suite is not None
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["8", "1", "2", "3"]
    failure = suite.find(".//failure")
    assert failure is not None
    assert "−5.0 % [−6.0, −4.0] against 20 nights up to abc" in str(failure.get("message"))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", ["model", "device", "test", "variant", "reason", "baseline"])
def test_hostile_text_is_inert_in_markdown_and_junit(field: str, text: str) -> None:
    made = history(
        series("SLOWER", **{field: text} if field != "model" else {}, name=text if field == "model" else "m")
    )
    root = ET.fromstring(gate_junit(made))
    assert [child.tag for child in root.iter()] == ["testsuites", "testsuite", "testcase", "failure", "system-out"]
    markdown = gate_markdown(made, [Commit("abc", "", text)])
    assert "<script" not in markdown
    assert not re.search(r"(?<!\\)\]\(", markdown), "a link"
    assert "\x1b" not in markdown
    (body,) = [line for line in markdown.splitlines() if line.startswith("| ") and "SLOWER" in line]
    assert body.replace("\\|", "").count("|") == 7
    assert gate_document(made).sections
    assert series_document(made, {}).sections
