"""The first things a report must do: hold the PR's tables, say the verdict, and be one file."""

from pathlib import Path

import made_runs as made

from harness.report.document import run_document
from harness.report.html import render, write_report
from harness.report.markdown import run_markdown
from harness.store.runs import write_info, write_record


def test_markdown_of_a_run_holds_the_verdict_and_the_tables_of_the_pr() -> None:
    text = run_markdown(made.pair(gain=1.096))
    assert "Merging makes PP 9." in text
    assert "| S_PP t/s |" in text
    assert "TG the same" in text


def test_a_report_of_a_run_folder_is_one_html_file(tmp_path: Path) -> None:
    run_dir = tmp_path / "results" / made.RUN
    run_dir.mkdir(parents=True)
    records = made.pair()
    write_info(run_dir, made.info(records))
    for record in records:
        write_record(run_dir, record)
    path = write_report(run_dir, tmp_path / "reports" / made.RUN)
    page = path.read_text()
    assert path.name == "index.html"
    assert page == render(run_document(made.info(records), records))
    assert page.count("<svg") > 3
