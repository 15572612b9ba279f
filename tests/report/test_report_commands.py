"""report, show, plot and view on the command line."""

from pathlib import Path

import made_runs as made
import pytest
from typer.testing import CliRunner, Result

from harness.cli.app import app
from harness.store.runs import write_info, write_record


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder with one run, in the working directory."""
    monkeypatch.chdir(tmp_path)
    run_dir, records = tmp_path / "results" / made.RUN, made.pair(tests=made.TESTS[1:])
    run_dir.mkdir(parents=True)
    write_info(run_dir, made.info(records))
    for record in records:
        write_record(run_dir, record)
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_a_reference_on_the_command_line_is_in_the_page(results: Path) -> None:
    done = call("report", "--reference", "ik-1403")
    assert done.exit_code == 0, done.output
    assert "Published by others" in (results / done.stdout.strip()).read_text()


def test_a_run_against_another_has_a_page_of_its_own(results: Path) -> None:
    done = call("report", made.RUN, "--against", made.RUN)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == f"reports/{made.RUN}-against-{made.RUN}/index.html"


def test_show_is_markdown_in_a_pipe_and_small_charts_on_request(results: Path) -> None:
    assert call("show", made.RUN).stdout.startswith("# gptoss-muge\n")
    text = call("show", made.RUN, "-o", "text")
    assert text.exit_code == 0, text.output
    assert "█" in text.stdout


def test_plot_prints_the_paths_it_wrote(results: Path) -> None:
    done = call("plot", "--format", "svg")
    assert done.exit_code == 0, done.output
    (path,) = done.stdout.split()
    assert (results / path).read_text().startswith("<?xml")


def test_view_writes_the_newest_report_and_prints_its_path(results: Path) -> None:
    done = call("view", "--no-browser")
    assert done.exit_code == 0, done.output
    assert (results / done.stdout.strip()).read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("command", ["report", "plot", "view"])
def test_no_run_is_a_sentence_and_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(tmp_path)
    done = call(command)
    assert done.exit_code != 0
    assert "no run here yet" in done.output
    assert "Traceback" not in done.output
