from pathlib import Path

import pytest
from command_line import ROOT, call, modules_after, run

from harness.cli.app import COMMANDS

HEAVY = {"numpy", "pandas", "matplotlib", "cupy", "scipy", "sqlalchemy", "jinja2"}
MODEL = ("info", "synth", "derive", "logits")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = call(command, "--help")
    assert result.exit_code == 0
    assert f"Usage: harness {command}" in result.output


@pytest.mark.parametrize("command", MODEL)
def test_every_model_command_explains_itself(command: str) -> None:
    result = call("model", command, "--help")
    assert result.exit_code == 0
    assert f"Usage: harness model {command}" in result.output


def test_help_lists_every_command_with_a_sentence_that_is_not_cut() -> None:
    lines = call("--help").output.splitlines()
    for command in COMMANDS:
        assert [line for line in lines if line.split()[:1] == [command] and line.endswith(".") and "..." not in line]


def test_help_imports_nothing_heavy() -> None:
    assert not modules_after(["--help"], ROOT) & HEAVY


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    assert not modules_after([command, "--help"], ROOT) & HEAVY


@pytest.mark.parametrize("config", ["gptoss", "smollm2", "smollm2_moe", "smoke"])
def test_validate_imports_nothing_heavy(config: str) -> None:
    assert not modules_after(["validate", f"configs/{config}.yaml"], ROOT) & HEAVY


def test_a_command_imports_no_other_command() -> None:
    before = modules_after(["validate", "configs/smoke.yaml"], ROOT)
    assert "rich" not in before


def test_no_arguments_show_the_help(tmp_path: Path) -> None:
    done = run(cwd=tmp_path)
    assert "Usage: harness" in done.stdout + done.stderr
    assert done.returncode in {0, 2}


def test_a_misspelt_command_is_guessed(tmp_path: Path) -> None:
    done = run("validat", cwd=tmp_path)
    assert done.returncode == 2
    assert "no command 'validat', did you mean validate?" in done.stderr


def test_a_misspelt_option_is_a_usage_error(tmp_path: Path) -> None:
    done = run("run", "--onyl", "x", cwd=tmp_path)
    assert done.returncode == 2
    assert "--onyl" in done.stderr
