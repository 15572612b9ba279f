"""Who disturbs: a scan of all processes. It is made only to explain a sample that was already found to be bad."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from harness.telemetry.proc import PROC, TICK_NS

LOOK_S = 0.25


@dataclass(frozen=True)
class Culprit:
    """A process that is not ours and the cores it used while being watched."""

    pid: int
    name: str
    cores: float

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}, {self.cores:.0%} of a core)"


def culprits(ours: Collection[int], look_s: float = LOOK_S, proc: Path = PROC) -> tuple[Culprit, ...]:
    """The processes not ours that use 5 % of a core or more during `look_s` from now, busiest first."""
    before, start = _times(proc), time.monotonic_ns()
    time.sleep(look_s)
    after, elapsed = _times(proc), time.monotonic_ns() - start
    found = [
        Culprit(pid, name, (ticks - before[pid][1]) * TICK_NS / elapsed)
        for pid, (name, ticks) in after.items()
        if pid in before and pid not in ours
    ]
    return tuple(sorted((c for c in found if c.cores >= 0.05), key=lambda c: -c.cores))


def _times(proc: Path) -> dict[int, tuple[str, int]]:
    """The name and the ticks used so far of every process."""
    times = {}
    for folder in proc.iterdir():
        if folder.name.isdigit():
            try:
                head, _, tail = (folder / "stat").read_text(errors="replace").rpartition(")")
            except OSError:
                continue  # it ended while we looked
            fields = tail.split()
            times[int(folder.name)] = (head.partition("(")[2], int(fields[11]) + int(fields[12]))
    return times
