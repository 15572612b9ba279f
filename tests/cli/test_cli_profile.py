"""`harness profile`: a table per row, why the merge pays, a page; an engine that cannot is told so."""

import json
from pathlib import Path

import pytest
from command_line import call, fake_config

from harness.runner import survey

TINY = """
name: tiny
models: {tiny: {stand_in: {preset: tiny-qwen3moe, layers: 2}}}
matrix: {device: "cpu:0", threads: 1}
tests: [{pp: 16}, {tg: 2}]
samples: {max: 8}
time_budget: 1 s
"""


@pytest.fixture(autouse=True)
def _no_survey(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from harness.records.record import Limits

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(survey, "limits_of", lambda *_: Limits({"read, 1 thread": 1e9}, {"int8, 1 thread": 1e12}))


def test_every_kind_of_operation_has_a_line_beside_the_limits(tmp_path: Path) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY)
    done = call("profile", config)
    assert done.exit_code == 0, done.output
    for told in ("moe_up_gate", "moe_down", "attention", "pp16:", "tg2:", "Limits: 1.0 GB/s"):
        assert told in done.stdout
    whole = json.loads(call("profile", config, "--only", "tg2", "-o", "json").stdout)
    (case,) = whole["cases"]
    (row,) = case["rows"]
    assert (row["test"], row["n_tokens"]) == ("tg2", 2)
    assert all(op["ns"] > 0 and op["calls"] == 2 for op in row["ops"])


def test_two_cells_are_told_apart_in_the_output_and_on_the_page_made_from_files_alone(tmp_path: Path) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY)
    matrix = ("merge_up_gate=[off, on]", "fused_moe=off", "ubatch=[8, 16]")
    done = call("profile", config, "--only", "*pp16", *(word for s in matrix for word in ("--set", s)))
    assert done.exit_code == 0, done.output
    assert "## Why the merge pays" in done.stdout
    assert "| merge on | moe_up_gate" in done.stdout
    assert "## Where the merge begins to pay" in done.stdout
    (run,) = (tmp_path / "results").iterdir()
    assert len(list(run.glob("profile-*.json"))) == 4
    page = Path(call("report", "--out", tmp_path / "again").stdout.strip()).read_text()
    assert page == next((tmp_path / "reports").glob("*/index.html")).read_text()
    assert 'id="why-0-chart"' in page
    assert 'id="crossover-ubatch"' in page


def test_a_single_cell_has_no_why(tmp_path: Path) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY)
    done = call("profile", config, "--only", "*tg2")
    assert done.exit_code == 0
    assert "Why the merge pays" not in done.stdout
    assert 'id="why"' not in next((tmp_path / "reports").glob("*/index.html")).read_text()


def test_an_engine_that_cannot_tell_is_said_in_words(tmp_path: Path) -> None:
    done = call("profile", fake_config(tmp_path), "--only", "off pp64")
    assert done.exit_code == 3
    assert "engine fake does not tell the times of its operations; the core does." in done.output
