import json
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from command_line import call
from nights import COMMIT, nights, slow_down, tonight
from typer.testing import Result

OtherBuild = Callable[..., str]
OLD = "aaaaaaaaaaaa"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with one run."""
    with pytest.MonkeyPatch.context() as patch:
        settle_code(patch)
        folder = tmp_path_factory.mktemp("measured")
        tonight(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, measured: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settle_code(monkeypatch)
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    return tmp_path


def settle_code(patch: pytest.MonkeyPatch) -> None:
    """Other people's commits must not change what the code calls itself in the middle of a test."""
    patch.setattr("harness.runner.run.harness_commit", lambda: COMMIT)
    patch.setattr("harness.runner.identity.harness_commit", lambda: COMMIT)


def the_run(folder: Path) -> Path:
    (run,) = {path.parent for path in (folder / "results").glob("*fake-night*/run.json")}
    return run


def gate(folder: Path, *arguments: str | Path) -> Result:
    return call("gate", "--results", folder / "results", "--repo", folder, "--reruns", "3", *arguments)


def test_unchanged_nights_are_quiet(folder: Path) -> None:
    nights(the_run(folder), 8)
    result = gate(folder)
    assert result.exit_code == 0, result.output
    assert "No regression in 4 series" in result.stdout


def test_a_slowdown_is_measured_again_confirmed_and_reported_in_every_form(folder: Path) -> None:
    shutil.rmtree(the_run(folder))
    nights(tonight(folder, "{noise: 0.001, prefill_token_ns: 105000}"), 8)
    slow = folder / "results"
    for path in slow.glob("2026-01-*"):
        slow_down(path, 100 / 105, "pp")
    result = gate(
        folder,
        *("-o", "md", "--json", folder / "o/gate.json", "--junit", folder / "o/gate.xml"),
        *("--markdown", folder / "o/gate.md", "--page", folder / "o/page"),
    )
    assert result.exit_code == 1, result.output
    assert "2 of 4 series slower" in result.stdout
    assert "in 3 fresh sessions" in result.stdout
    assert (folder / "o/gate.md").read_text() == result.stdout
    history = json.loads((folder / "o/gate.json").read_text())
    slower = [s for s in history["series"] if s["verdict"] == "SLOWER"]
    assert [s["test"] for s in slower] == ["pp64", "pp64"]
    assert all(s["low"] < 100 / 105 < s["high"] < 1 for s in slower)
    suite = ET.fromstring((folder / "o/gate.xml").read_text()).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "2", "0")
    assert (folder / "o/page/index.html").is_file()
    again = [p for p in slow.iterdir() if "-again-" in p.name]
    assert len(again) == 3
    assert gate(folder).exit_code == 1
    assert len([p for p in slow.iterdir() if "-again-" in p.name]) == 3, "fresh sessions once made are not made again"


def test_a_disturbed_session_that_fresh_ones_do_not_confirm_is_no_alarm(folder: Path) -> None:
    run = the_run(folder)
    nights(run, 8)
    slow_down(run, 1.08, "pp")
    result = gate(folder, "-o", "json")
    assert result.exit_code == 0, result.output
    assert {s["verdict"] for s in json.loads(result.stdout)["series"]} == {"SAME"}


def test_an_acknowledged_slowdown_is_quiet_until_its_day(folder: Path) -> None:
    run = the_run(folder)
    nights(run, 8, scale=1 / 1.06)
    known = folder / "acknowledged.yaml"
    known.write_text('acknowledged: [{series: "*", until: 2999-12-31, reason: on purpose}]\n')
    result = gate(folder, "--reruns", "2", "--acknowledged", known)
    assert result.exit_code == 0, result.output
    assert "ACKNOWLEDGED" in result.stdout
    known.write_text('acknowledged: [{series: "*", until: 2001-12-31, reason: on purpose}]\n')
    assert gate(folder, "--reruns", "2", "--acknowledged", known).exit_code == 1


def test_a_lasting_slowdown_made_the_baseline_is_quiet(folder: Path) -> None:
    run = the_run(folder)
    nights(run, 8, scale=1 / 1.06)
    assert gate(folder, "--reruns", "2").exit_code == 1
    shown = call("baseline", "set", run.name, "--results", folder / "results", "--note", "release")
    assert shown.exit_code == 0, shown.output
    assert run.name in call("baseline", "show", "--results", folder / "results").stdout
    assert gate(folder, "--reruns", "2").exit_code == 0
    assert call("baseline", "set", "--clear", "--results", folder / "results").exit_code == 0
    assert gate(folder, "--reruns", "2").exit_code == 1


def test_the_first_nights_cannot_tell(folder: Path) -> None:
    run = the_run(folder)
    assert gate(folder).exit_code == 4
    nights(run, 4)
    result = gate(folder)
    assert result.exit_code == 4
    assert "too few earlier nights" in result.stdout


def test_a_case_that_failed_tonight_cannot_be_told(folder: Path) -> None:
    run = the_run(folder)
    nights(run, 8)
    path = next(run.glob("case-*.json"))
    content = json.loads(path.read_text())
    content |= {"status": "crashed", "rows": [], "error": {"kind": "crash", "message": "segmentation fault"}}
    path.write_text(json.dumps(content))
    result = gate(folder, "-o", "json")
    assert result.exit_code == 4, result.output
    (failed,) = [s for s in json.loads(result.stdout)["series"] if s["verdict"] == "FAILED"]
    assert failed["reason"] == "crashed: segmentation fault"


def test_other_code_than_the_runs_cannot_measure_its_suspects_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = the_run(folder)
    nights(run, 8, scale=1 / 1.06)
    monkeypatch.setattr("harness.runner.identity.harness_commit", lambda: "ffffffffffff")
    result = gate(folder)
    assert "not measured again" in result.stderr
    assert not [p for p in run.parent.iterdir() if "-again-" in p.name]
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--floor", "soon"], "expected a share"),
        (["nonsense"], "is no run folder"),
        (["--acknowledged", "none.yaml"], "cannot be read"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(folder: Path, arguments: list[str], said: str) -> None:
    nights(the_run(folder), 1)
    result = gate(folder, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def built_at(folder: Path, commit: str) -> None:
    """The nights before were made by another commit."""
    for path in (folder / "results").glob("2026-01-*/*.json"):
        path.write_text(path.read_text().replace(COMMIT, commit))


def builder(folder: Path, python: str) -> str:
    """A command that has a build to offer, and writes down for which commit it was asked."""
    script = folder / "build.sh"
    script.write_text(f'#!/bin/sh\necho "$1" >> {folder}/asked\necho making it\necho {python}\n')
    script.chmod(0o755)
    return str(script)


def moody_nights(folder: Path) -> None:
    """Tonight everything takes 5 % longer than in the nights before, and does so again when measured again."""
    nights(the_run(folder), 8, scale=1 / 1.05)
    built_at(folder, OLD)


def test_a_slow_night_is_no_alarm_where_the_baselines_build_is_as_slow(folder: Path, other_build: OtherBuild) -> None:
    moody_nights(folder)
    assert gate(folder).exit_code == 1, "the fresh sessions alone alarm"
    for again in (folder / "results").glob("*-again-*"):
        shutil.rmtree(again)
    result = gate(folder, "--baseline-build", builder(folder, other_build(OLD, 1.0)))
    assert result.exit_code == 0, result.output
    assert (folder / "asked").read_text().split() == [OLD], "one build serves all sessions"
    assert "No regression in 4 series" in result.stdout
    assert f"in turns with the build of {OLD}" in result.stderr


def test_what_the_baselines_build_does_faster_is_an_alarm_once_and_later(folder: Path, other_build: OtherBuild) -> None:
    moody_nights(folder)
    command = builder(folder, other_build(OLD, 0.95))
    result = gate(folder, "--baseline-build", command, "-o", "json")
    assert result.exit_code == 1, result.output
    slower = [s for s in json.loads(result.stdout)["series"] if s["verdict"] == "SLOWER"]
    assert slower
    assert all("pairs of processes with the baseline's build" in s["reason"] for s in slower)
    assert [s["ratio"] for s in slower] == pytest.approx([0.95] * len(slower), abs=0.003)
    assert gate(folder).exit_code == 1, "what was measured in turns is kept"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("exit 3", "ended with exit code 3"),
        ("true", "printed nothing"),
        ("echo /nowhere/python", "/nowhere/python"),
        ("echo {python}", "has the harness of bbbbbbbbbbbb"),
    ],
)
def test_without_a_build_suspects_are_measured_on_their_own(
    folder: Path, other_build: OtherBuild, body: str, said: str
) -> None:
    moody_nights(folder)
    script = folder / "build.sh"
    script.write_text("#!/bin/sh\n" + body.format(python=other_build("b" * 12, 1.0)) + "\n")
    script.chmod(0o755)
    result = gate(folder, "--baseline-build", str(script))
    assert result.exit_code == 1, result.output
    assert said in result.stderr
    assert "measured again without it" in result.stderr
    assert len([p for p in (folder / "results").iterdir() if "-again-" in p.name]) == 3


def test_a_baseline_that_no_commit_names_is_not_built(folder: Path, other_build: OtherBuild) -> None:
    nights(the_run(folder), 8, scale=1 / 1.05)
    built_at(folder, f"{OLD}-dirty")
    result = gate(folder, "--baseline-build", builder(folder, other_build(OLD, 1.0)))
    assert f"was made by {OLD}-dirty, which cannot be built" in result.stderr
    assert result.exit_code == 1
