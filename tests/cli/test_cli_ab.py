"""`harness ab` as a person uses it: a table or JSON on stdout, exit codes, a run folder that `report` shows."""

import json
from pathlib import Path

import pytest
from command_line import call, fake_config

SLOWER = "{noise: 0.001, effects: [{axis: merge_up_gate, value: on, factor: 1.05}]}"


def test_a_verdict_per_row_and_a_run_that_report_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("ab", fake_config(tmp_path, SLOWER), "--set", "samples.max=8", "--only", "pp64")
    assert done.exit_code == 0, done.output
    assert "SLOWER" in done.stdout
    assert "identical" in done.stdout
    (folder,) = (tmp_path / "results").iterdir()
    assert (tmp_path / "reports" / folder.name / "index.html").exists()
    page = call("report", folder.name)
    assert page.exit_code == 0


def test_noise_that_is_too_wide_exits_with_4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("ab", fake_config(tmp_path, "{noise: 0.05}"), "--only", "pp64", "-o", "json")
    assert done.exit_code == 4
    (duel,) = json.loads(done.stdout)
    assert duel["verdict"] == "CANNOT TELL"
    assert duel["result"]["needed"] > 4


def test_fast_and_wrong_exits_with_3_and_shows_no_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = "{effects: [{axis: merge_up_gate, value: on, factor: 0.5, logits: wrong}]}"
    done = call("ab", fake_config(tmp_path, wrong), "--only", "pp64", "-o", "json")
    assert done.exit_code == 3
    (duel,) = json.loads(done.stdout)
    assert (duel["verdict"], duel["other_per_s"], duel["result"]) == ("INVALID", None, None)


def test_a_switch_asked_for_is_compared_off_and_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = fake_config(tmp_path)
    done = call("ab", config, "--axis", "fmoe", "--set", "muge=off", "--only", "tg8", "-o", "json")
    assert [(duel["base"], duel["other"]) for duel in json.loads(done.stdout)] == [("fused_moe=off", "fused_moe=on")]


def test_nothing_to_compare_is_a_usage_error_that_says_what_to_do(tmp_path: Path) -> None:
    config = fake_config(tmp_path)
    for arguments, told in (
        (("--axis", "threads"), "--set 'threads=[FIRST, SECOND]'"),
        (("--set", "muge=on"), "--axis merge_up_gate"),
        (("--axis", "thread"), "no such axis"),
    ):
        done = call("ab", config, *arguments)
        assert done.exit_code == 2
        assert told in done.output
