"""A run that is killed fifty times, and Ctrl-C, on real processes."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import instant
import pytest
from fake_cases import alive_with, comparable
from go import go_on

from harness.runner import run, sequence
from harness.store.runs import list_runs, read_run

HERE = Path(__file__).parent


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    name = uuid.uuid4().hex
    monkeypatch.setenv("HARNESS_TEST_MARK", name)
    return name


def start(program: str, *arguments: str) -> "subprocess.Popen[str]":
    root = str(HERE.parent.parent)
    paths = os.pathsep.join(filter(None, (str(HERE), root, os.environ.get("PYTHONPATH", ""))))
    command = [sys.executable, str(HERE / program), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths})


@pytest.mark.parametrize(("workers", "n_kills", "n_cases"), [("instant", 50, 150), ("real", 6, 5)])
def test_a_run_killed_again_and_again_and_resumed_is_an_unbroken_one(
    tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch, workers: str, n_kills: int, n_cases: int
) -> None:
    killed = start("kill_again_and_again.py", str(tmp_path), str(n_kills), str(n_cases), workers, "1137")
    said, _ = killed.communicate(timeout=300)
    assert said.endswith("killed enough\n")
    assert "error" not in said
    runs = list_runs(tmp_path)
    assert len(runs) == 1
    promised = [line.split()[1] for line in said.splitlines() if line.startswith("done ")]
    kept = {record.case.case_id: record for record in read_run(runs[0].run, tmp_path).records}
    assert len(promised) == len(set(promised)) <= len(kept)
    assert set(promised) <= set(kept)
    assert all(record.status == "ok" for record in kept.values())

    if workers == "instant":
        monkeypatch.setattr(sequence, "supervise", instant.supervise)
        monkeypatch.setattr(run, "surveyed", lambda info, *_: info)
    resumed = go_on(tmp_path, runs[0].run, n_cases, "virtual")
    unbroken = go_on(tmp_path / "unbroken", "", n_cases, "virtual")
    assert len(resumed.records) == n_cases
    assert comparable(resumed.records) == comparable(unbroken.records)
    wait_until_gone(mark)


def wait_until_gone(mark: str) -> None:
    """Workers end when their parent is gone; give them a moment."""
    for _ in range(100):
        if set(alive_with("HARNESS_TEST_MARK", mark)) <= {os.getpid()}:
            return
        time.sleep(0.1)
    raise AssertionError(alive_with("HARNESS_TEST_MARK", mark))


def test_ctrl_c_saves_what_was_measured_and_the_run_can_go_on(tmp_path: Path, mark: str) -> None:
    program = start("go.py", str(tmp_path), "", "2", "real")
    assert program.stdout is not None
    assert program.stdout.readline() == "sample 1\n"
    program.send_signal(signal.SIGINT)
    said, _ = program.communicate(timeout=60)
    assert program.returncode == 0
    assert "done case-0 interrupted" in said
    assert said.endswith("interrupted\n")
    found = read_run(list_runs(tmp_path)[0].run, tmp_path)
    assert [(record.status, len(record.rows[0].samples) > 0) for record in found.records] == [("interrupted", True)]

    program = start("go.py", str(tmp_path), found.info.run, "2", "real")
    said, _ = program.communicate(timeout=60)
    assert "done case-0 ok" in said
    assert "done case-1 ok" in said
    assert said.endswith("complete\n")
    wait_until_gone(mark)


def test_a_second_ctrl_c_ends_the_sample_too(tmp_path: Path, mark: str) -> None:
    program = start("go.py", str(tmp_path), "", "2", "real")
    assert program.stdout is not None
    assert program.stdout.readline() == "sample 1\n"
    program.send_signal(signal.SIGINT)
    time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    said, _ = program.communicate(timeout=60)
    assert said == "done case-0 interrupted\ninterrupted\n"
    wait_until_gone(mark)
