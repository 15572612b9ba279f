"""The report as Markdown: the golden text, and foreign text that stays text."""

from pathlib import Path

import made_runs as made
import pytest

from harness.report.markdown import escape, run_markdown

GOLDEN = Path(__file__).with_name("golden") / "run.md"


def test_a_runs_markdown_is_the_golden_one() -> None:
    """After a change that is meant: look at the difference, then write `run_markdown(...)` over the file."""
    records = (
        *made.four_cells(tests=(made.SWEEP, made.Test("pp", n_prompt=512))),
        made.failed(made.record(made.TESTS[2])),
    )
    assert run_markdown(records) == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a|b", "a\\|b"),
        ("`code`", "\\`code\\`"),
        ("<img src=x>", "&lt;img src=x>"),
        ("&lt;b>", "&amp;lt;b>"),
        ("a & b", "a & b"),
        ("[x](http://e)", "[x\\](http:\u200b//e)"),
        ("![x][y]", "![x\\][y]"),
        ("@everyone", "@\u200beveryone"),
        ("www.e.com", "w\u200bww.e.com"),
        ("# heading", "\\# heading"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("12.5", "12.5"),
        ("-1", "-1"),
        ("$x$", "\\$x\\$"),
        ("__init__", "\\_\\_init\\_\\_"),
        ("merge_up_gate", "merge_up_gate"),
        ("**bold** ~~gone~~", "\\*\\*bold\\*\\* \\~\\~gone\\~\\~"),
    ],
)
def test_markup_in_foreign_text_is_inert(text: str, safe: str) -> None:
    assert escape(text) == safe


def test_no_records_give_a_text_and_no_error() -> None:
    assert "no case has a result yet" in run_markdown(())
