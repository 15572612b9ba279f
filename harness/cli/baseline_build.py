"""Builds of earlier commits for suspects to take turns with: made by a command of the user's, and checked."""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.cli.talk import say
from harness.errors import RunError

_ASK = "from harness.runner.identity import harness_commit; print(harness_commit())"
_PATIENCE_S = 3600


@dataclass(frozen=True)
class Builds:
    """`command` is given a commit and prints, last, the Python of an environment that has its build.

    `here`: the commit of this build, which needs no command.
    """

    command: str
    here: str
    _known: dict[str, str] = field(default_factory=dict)

    def python(self, commit: str) -> str:
        """The Python that has the build of `commit`. Errors: RunError where there is none to be had."""
        if commit == self.here:
            return sys.executable
        if commit not in self._known:
            say(f"baseline's build: {self.command} {commit}")
            self._known[commit] = _checked(_last_line([*shlex.split(self.command), commit]), commit)
        return self._known[commit]

    def pythons(self, commits: Mapping[str, str]) -> dict[str, str]:
        """By commit, for the commits of some cases. Errors: as `python`."""
        return {commit: self.python(commit) for commit in dict.fromkeys(commits.values())}


def _last_line(command: list[str]) -> str:
    done = _run(command)
    lines = done.stdout.split("\n") if done.returncode == 0 else []
    found = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if not found:
        why = f"ended with exit code {done.returncode}" if done.returncode else "printed nothing"
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
        raise RunError(
            f"{shlex.join(command)}: {why}{f' ({last})' if last else ''}. It has to print the path of a Python."
        )
    return found


def _checked(python: str, commit: str) -> str:
    done = _run([python, "-P", "-c", _ASK])
    built = done.stdout.strip()
    if done.returncode or not built or not (commit.startswith(built) or built.startswith(commit)):
        raise RunError(f"{python}: has the harness of {built or 'no commit'}, not of {commit}.")
    return python


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunError(f"{shlex.join(command)}: {error}") from error
