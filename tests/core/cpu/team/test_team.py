"""The threads of the CPU core, without the core: what base/team.h promises, also of threads that lose their cores."""

import os
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
NATIVE = FOLDER.parents[3] / "harness" / "core" / "cpu" / "native"
CASES = (
    "every_unit_is_kept_once",
    "who_lost_its_core_keeps_nobody_waiting",
    "a_unit_of_one_part_is_waited_for",
    "threads_that_lose_their_cores_anywhere_change_nothing",
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("team") / "team_cases"
    sources = (FOLDER / "team_cases.cpp", NATIVE / "base" / "team.cpp")
    how = ("-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", f"-I{NATIVE}")
    subprocess.run([os.environ.get("CXX", "c++"), *how, *sources, "-o", built], check=True, timeout=300)
    return built


def test_all_cases_are_asked_for(program: Path) -> None:
    listed = subprocess.run([program], capture_output=True, text=True, timeout=60, check=True)
    assert sorted(listed.stdout.split()) == sorted(CASES)


@pytest.mark.parametrize("case", CASES)
def test_workers(program: Path, case: str) -> None:
    done = subprocess.run([program, case], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
