"""scripts/baseline_build.sh in a small repository whose set-up makes a Python that says where it is from."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "baseline_build.sh"
SETUP = """#!/bin/sh
cd "$(dirname "$0")/.."
echo set up $1
mkdir -p .venv/bin
printf '#!/bin/sh\\ncat %s/version\\n' "$PWD" > .venv/bin/python
chmod +x .venv/bin/python
touch .venv/.run
echo once >> ../../times
"""


def git(folder: Path, *arguments: str) -> str:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=os.environ | who, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def commits(tmp_path: Path) -> list[str]:
    """Five commits of a repository at `tmp_path`, oldest first."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    (tmp_path / "scripts" / "setup.sh").write_text(SETUP)
    (tmp_path / "scripts" / "setup.sh").chmod(0o755)
    git(tmp_path, "init", "--quiet")
    found = []
    for number in range(5):
        (tmp_path / "version").write_text(f"version {number}\n")
        git(tmp_path, "add", "scripts", "version")
        git(tmp_path, "commit", "--quiet", "-m", f"version {number}")
        found.append(git(tmp_path, "rev-parse", "--short=12", "HEAD"))
    return found


def build(folder: Path, commit: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / "scripts" / "baseline_build.sh", commit], capture_output=True, text=True, check=False
    )


def test_the_python_of_a_commit_is_printed_and_made_once(tmp_path: Path, commits: list[str]) -> None:
    done = build(tmp_path, commits[1])
    assert done.returncode == 0, done.stderr
    (python,) = done.stdout.split()
    assert subprocess.run([python], capture_output=True, text=True, check=True).stdout == "version 1\n"
    assert build(tmp_path, commits[1]).stdout == done.stdout
    assert (tmp_path / "times").read_text() == "once\n"
    assert git(tmp_path, "status", "--porcelain", "--", "version") == ""


def test_the_newest_three_builds_are_kept(tmp_path: Path, commits: list[str]) -> None:
    for commit in commits[:4]:
        assert build(tmp_path, commit).returncode == 0
    kept = [path.name[:12] for path in (tmp_path / ".builds").iterdir()]
    assert sorted(kept) == sorted(commits[1:4])
    assert len(git(tmp_path, "worktree", "list").splitlines()) == 4


def test_what_is_no_commit_is_refused(tmp_path: Path, commits: list[str]) -> None:
    for wrong in ("feedbeefcafe", "--all"):
        done = build(tmp_path, wrong)
        assert done.returncode != 0
        assert "is no commit of this checkout" in done.stderr
    assert not (tmp_path / ".builds").exists(), commits
