"""What git knows of the commits that results name. Where there is no repository, nothing is known and nothing fails."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.records.history import Commit

_MOST = 20_000


@dataclass(frozen=True)
class Repository:
    """A git checkout at or around `folder`, if there is one."""

    folder: Path

    def resolve(self, commit: str) -> str:
        """The full hash of what a result calls its commit, "-dirty" or not; "" where it is no commit here."""
        name = commit.removesuffix("-dirty")
        if not name or name.startswith("-"):
            return ""
        return self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()

    def ancestors(self, commit: str) -> tuple[str, ...]:
        """The full hashes of `commit` and its ancestors, nearest first; none where it is no commit here."""
        full = self.resolve(commit)
        return tuple(self._git("rev-list", f"--max-count={_MOST}", full).split()) if full else ()

    def described(self, commits: Iterable[str]) -> tuple[Commit, ...]:
        """Time and subject of the commits known here, under the names given."""
        known = {name: full for name in commits if (full := self.resolve(name))}
        if not known:
            return ()
        lines = self._git("show", "-s", "--format=%H%x00%cI%x00%s", *known.values()).splitlines()
        told = {full: (time, subject) for full, time, subject in (line.split("\0", 2) for line in lines)}
        return tuple(Commit(name, *told[full]) for name, full in known.items() if full in told)

    def between(self, before: str, after: str, most: int = 20) -> tuple[Commit, ...]:
        """The commits that `after` has and `before` has not, newest first."""
        first, last = self.resolve(before), self.resolve(after)
        if not first or not last:
            return ()
        text = self._git("log", f"--max-count={most}", "--format=%h%x00%cI%x00%s", f"{first}..{last}")
        return tuple(Commit(*line.split("\0", 2)) for line in text.splitlines())

    def _git(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                ["git", "-C", str(self.folder), *arguments],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=30,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout if done.returncode == 0 else ""
