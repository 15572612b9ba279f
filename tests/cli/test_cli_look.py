"""Commands that look: validate, plan, show, report, doctor, and how all of them fail."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ROOT, call, command, environment, fake_config, run

from harness.cli.failure import first_that_applies

TINY = """
models: {tiny: {stand_in: {preset: tiny-gpt-oss}}}
matrix: {device: "cpu:0", merge_up_gate: [off, on]}
tests: [{pp: 64}, load]
"""


def test_validate_says_what_would_run_with_and_without_a_gpu() -> None:
    result = call("validate", ROOT / "configs/gptoss.yaml")
    assert result.exit_code == 0
    assert re.search(
        r"gptoss\.yaml: good\n  6 cases on cpu:0 in about 2 min 30 s .*4 layers.*\n  6 cases on cuda:0", result.output
    )


def test_validate_shows_every_mistake_and_exits_with_two(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("models: {m: a.gguf}\nmatirx: {}\nprecision: high\n")
    done = run("validate", config, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "c.yaml:2:1: matirx: unknown key" in done.stderr
    assert "c.yaml:3:12: precision: expected a share" in done.stderr
    assert done.stderr.endswith("2 mistakes; nothing was run\n")


def test_plan_shows_cases_in_order_with_estimates_that_are_called_so(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(TINY)
    result = call("plan", config)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    cases = [line for line in lines if re.match(r"\d+ +[0-9a-f]{12} ", line)]
    assert [line.split()[0] for line in cases] == ["1", "2", "3", "4"]
    assert [line.rpartition("=")[2] for line in cases] == ["off pp64", "on pp64", "off load", "on load"]
    assert any(line.startswith("estimated, not measured: ") and "of disk" in line for line in lines)


def test_plan_shows_tensors_and_program_once_per_different_plan(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(TINY)
    output = call("plan", config, "--tensors", "--program").output
    assert output.count("ffn_gate_up_exps.weight ") == 1
    assert output.count("moe_up_gate ") == 2
    assert re.search(r"^tiny \(stand-in.*\): cases 2, 4$", output, re.MULTILINE)


def test_plan_of_a_mixture_has_the_shapes_it_will_have() -> None:
    output = call("plan", ROOT / "configs/smollm2_moe.yaml", "--only", "off fused_moe=off pp512", "--tensors").output
    assert re.search(r"ffn_gate_exps\.weight +cpu:0 +Q4_1 +16 x 192 x 576 ", output)
    assert "of disk for what is made once" in output


def test_plan_of_fakes_says_why_there_is_no_estimate(tmp_path: Path) -> None:
    result = call("plan", fake_config(tmp_path))
    assert result.exit_code == 0
    assert "no estimate for case 1, 2, 3, 4: the fake engine's times are its script's" in result.output


def test_plan_writes_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "scratch").mkdir()
    assert call("plan", ROOT / "configs/gptoss.yaml", "--set", "layers=all", "--set", "device=cpu:0").exit_code == 0
    assert not list((tmp_path / "scratch").iterdir())
    assert not (tmp_path / "cache").exists()


def test_a_run_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    for arguments in (("show", "yesterday"), ("report", "yesterday"), ("report",)):
        result = call(*arguments, "--results", tmp_path)
        assert result.exit_code == 2
        assert len(result.output.splitlines()) == 1


def test_doctor_grades_every_finding_and_says_what_to_do(tmp_path: Path) -> None:
    done = run("doctor", "--quick", cwd=tmp_path)
    assert done.returncode in {0, 3}, done.stderr
    grades = {line.split()[0] for line in done.stdout.splitlines()}
    assert grades <= {"good", "note", "bad", "→"}
    assert (done.returncode == 3) == ("bad" in grades)
    for what in ("CPU", "memory", "GPU", "disk for results", "SmolLM2"):
        assert what in done.stdout


def test_the_exit_code_is_the_first_that_applies() -> None:
    assert first_that_applies([]) == 0
    assert first_that_applies([4, 3, 0]) == 3
    assert first_that_applies([4, 3, 1]) == 1
    assert first_that_applies([1, 130]) == 130
    assert first_that_applies([130, 2, 4]) == 2


def test_a_mistake_of_our_own_is_a_sentence_and_a_traceback_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("no idea")

    monkeypatch.setattr("harness.config.load_config", broken)
    result = call("validate", "c.yaml")
    assert result.exit_code == 3
    assert re.search(
        r"a mistake in harness itself \(\S+\.py:\d+\): RuntimeError: no idea\nHARNESS_TRACEBACK=1", result.output
    )
    assert "Traceback" not in result.output
    monkeypatch.setenv("HARNESS_TRACEBACK", "1")
    assert "Traceback" in call("validate", "c.yaml").output


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    listing = " ".join(command("model", "--help"))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {listing} | head -c 1"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    code = "import sys; sys.argv = ['harness', 'plan', sys.argv[1]]; from harness.cli.app import main; main()"
    quiet = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{code}" {fake_config(tmp_path)} | true'],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in quiet.stderr
