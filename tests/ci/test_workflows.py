"""The workflow and the action that users take: linted, and the action's scripts run with a harness that is a stub."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LINTER = ROOT / "node_modules" / "@tktco" / "node-actionlint" / "bin" / "node-actionlint.js"
ISSUE = re.compile(r"^\S+\.yml:\d+:\d+ (.*) \[ ([\w-]+) \]$", re.MULTILINE)


def test_actionlint_finds_nothing_in_the_workflows() -> None:
    assert LINTER.is_file(), "actionlint is missing: npm install"
    done = subprocess.run(
        ["node", LINTER, ".github/workflows/*.yml"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "Checking 1 workflow file" in done.stdout
    ours = yaml.safe_load((ROOT / ".github/actionlint.yaml").read_text())["self-hosted-runner"]["labels"]
    known = {f'label "{label}" is unknown' for label in ours}
    issues = [text for text, _ in ISSUE.findall(done.stdout) if not any(text.startswith(start) for start in known)]
    assert issues == []


@pytest.mark.parametrize(
    ("schema", "file"),
    [("vendor.github-workflows", ".github/workflows/nightly.yml"), ("vendor.github-actions", "action.yml")],
)
def test_the_files_fit_githubs_schema(schema: str, file: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    done = subprocess.run([*command, ROOT / file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = tmp_path / Path(file).name
    broken.write_text(
        (ROOT / file).read_text().replace("runs-on", "run-on").replace("using: composite", "using: magic")
    )
    assert subprocess.run([*command, broken], capture_output=True, check=False).returncode != 0


def action() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "action.yml").read_text())


def test_no_input_is_pasted_into_a_script() -> None:
    """An expression inside a script would run what an input says; inputs travel through the environment."""
    assert not [step["name"] for step in action()["runs"]["steps"] if "${{" in step.get("run", "")]


def script(name: str, folder: Path, harness: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A step's script as GitHub runs it, with `harness` as the body of the command."""
    binaries = folder / "bin"
    binaries.mkdir(exist_ok=True)
    (binaries / "harness").write_text(f'#!/bin/bash\necho "$@" >> {folder}/called\n{harness}\n')
    (binaries / "harness").chmod(0o755)
    (step,) = [step for step in action()["runs"]["steps"] if step["name"] == name]
    environment = {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "GITHUB_ACTION_PATH": str(ROOT),
        **variables,
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


JUDGE = {"RESULTS": "r", "REPORTS": "p", "FLOOR": "2 %", "RERUNS": "4"}
GATE = "mkdir -p p; echo table > p/gate.md; exit %d"


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (3, 0), (2, 2), (130, 130)])
def test_a_failed_case_does_not_stop_the_gate_and_anything_worse_does(code: int, ends: int, tmp_path: Path) -> None:
    done = script("Measure", tmp_path, f"exit {code}", CONFIG="c.yaml", RESULTS="r", REPORTS="p")
    assert done.returncode == ends
    assert (tmp_path / "called").read_text() == "run c.yaml --results r --reports p\n"
    assert f"code={code}" in (tmp_path / "output").read_text()


@pytest.mark.parametrize("code", [0, 1, 4])
def test_the_gates_table_is_in_the_summary_whatever_it_says(code: int, tmp_path: Path) -> None:
    done = script("Judge", tmp_path, GATE % code, ACKNOWLEDGED="a b.yaml", **JUDGE)
    assert done.returncode == 0
    assert (tmp_path / "summary").read_text() == "table\n"
    assert f"code={code}\n" in (tmp_path / "output").read_text()
    called = (tmp_path / "called").read_text()
    assert "--floor 2 % --reruns 4 --acknowledged a b.yaml" in called
    assert "--markdown p/gate.md --junit p/gate.xml --json p/gate.json --page p/nightly" in called


def test_a_gate_that_could_not_run_fails_the_step(tmp_path: Path) -> None:
    assert script("Judge", tmp_path, "exit 2", ACKNOWLEDGED="", **JUDGE).returncode == 2
    assert "--acknowledged" not in (tmp_path / "called").read_text()


@pytest.mark.parametrize(
    ("measured", "gate", "strict", "ends"),
    [
        ("0", "0", "false", 0),
        ("0", "1", "false", 1),
        ("3", "1", "false", 1),
        ("3", "0", "false", 3),
        ("0", "4", "false", 0),
        ("0", "4", "true", 4),
    ],
)
def test_the_verdict_fails_the_job_for_a_regression_and_says_what_else_happened(
    measured: str, gate: str, strict: str, ends: int, tmp_path: Path
) -> None:
    done = script("Verdict", tmp_path, "", MEASURED=measured, CODE=gate, STRICT=strict)
    assert done.returncode == ends
    assert ("::error::" in done.stdout) == (ends in {1, 3})
    assert ("::warning::" in done.stdout) == (gate == "4")


def test_the_options_the_action_uses_exist() -> None:
    """A renamed option would break other people's nights, not ours."""
    for command in ("run", "gate"):
        done = subprocess.run(
            [sys.executable, "-m", "harness.cli", command, "--help"],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=True,
        )
        used = {
            option
            for step in action()["runs"]["steps"]
            for line in re.findall(rf"harness {command} .*?(?:\|\| )", step.get("run", ""), re.DOTALL)
            for option in re.findall(r"--[a-z]+", line)
        }
        assert used
        assert used <= set(re.findall(r"--[a-z]+", done.stdout))
