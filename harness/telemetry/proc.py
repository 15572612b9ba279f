"""Linux's counters as numbers. What a kernel does not offer is None, never zero."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessCounters:
    """Counters of one process with all its threads and the children it has waited for."""

    cpu_ns: int
    major_faults: int
    migrations: int | None
    rss_bytes: int
    waited_ns: int | None = None  # of all live threads, for a core, though they had work


def busy_ns(proc: Path = PROC) -> int | None:
    """Time all cores together were not idle, stolen time included, to the clock tick."""
    text = _read(proc / "stat")
    if text is None:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(x) for x in text.split(maxsplit=9)[1:9])
    return (user + nice + system + irq + softirq + steal) * TICK_NS


def stalled_ns(proc: Path = PROC) -> int | None:
    """Time at least one runnable task waited for a core (pressure stall information)."""
    text = _read(proc / "pressure" / "cpu")
    if text is None:
        return None
    return int(text.splitlines()[0].rpartition("total=")[2]) * 1000


def process(pid: int, proc: Path = PROC) -> ProcessCounters | None:
    """Counters of `pid`; None once it is gone."""
    text = _read(proc / str(pid) / "stat")
    if text is None:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces; fields[0] is number 3 of proc(5)
    own, children = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    precise = _cpu_clock_ns(pid) if proc is PROC else None
    return ProcessCounters(
        cpu_ns=(own * TICK_NS if precise is None else precise) + children * TICK_NS,
        major_faults=int(fields[9]) + int(fields[10]),
        migrations=_migrations(proc / str(pid) / "task"),
        rss_bytes=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        waited_ns=_waited_ns(proc / str(pid) / "task"),
    )


def peak_rss_bytes(pid: int, proc: Path = PROC) -> int | None:
    """The high-water mark of resident memory of `pid`."""
    for line in (_read(proc / str(pid) / "status") or "").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def _cpu_clock_ns(pid: int) -> int | None:
    """The scheduler's own count for a live process: nanoseconds where /proc has ticks (clock_getcpuclockid(3))."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return None


def _waited_ns(tasks: Path) -> int | None:
    """The scheduler's run delay, summed over the live threads: exact where busy time is counted in ticks."""
    total = None
    try:
        threads = list(tasks.iterdir())
    except OSError:
        return None
    for thread in threads:
        fields = (_read(thread / "schedstat") or "").split()
        if len(fields) == 3:
            total = (total or 0) + int(fields[1])
    return total


def _migrations(tasks: Path) -> int | None:
    """Moves from one core to another, summed over the live threads."""
    total = None
    try:
        threads = list(tasks.iterdir())
    except OSError:
        return None
    for thread in threads:
        for line in (_read(thread / "sched") or "").splitlines():
            if line.startswith("se.nr_migrations"):
                total = (total or 0) + int(line.rpartition(":")[2])
                break
    return total


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return None
