"""What the system does that moves figures: clocks, swap, huge pages, quotas, a hypervisor; and counters it hides.

Everything is read from `/proc` and `/sys`, and nothing is changed; what a system does not show is passed over.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.core.plan.text import format_bytes
from harness.telemetry.rapl import packages

Grade = Literal["good", "note", "bad"]
ROOT = Path("/")
SWAPPED_BYTES = 64 << 20
STEAL_SHARE = 0.002
"""A fifth of a percent of the time since boot: less is the measuring of others' machines as well."""


@dataclass(frozen=True)
class Finding:
    """`note` makes figures worse, `bad` prevents runs; `advice` is what to do about it."""

    grade: Grade
    what: str
    text: str
    advice: str = ""


def disturbances(root: Path = ROOT) -> Iterator[Finding]:
    """Findings about the system below `root`."""
    for look in (_turbo, _threads_per_core, _swap, _huge_pages, _quota, _steal, _pressure, _energy, _perf):
        found = look(root)
        if found is not None:
            yield found


def _turbo(root: Path) -> Finding | None:
    cpus = root / "sys/devices/system/cpu"
    no_turbo, boost = _text(cpus / "intel_pstate/no_turbo"), _text(cpus / "cpufreq/boost")
    if no_turbo == "0" or boost == "1":
        switch = "1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
        advice = f"for steadier figures: echo {switch}" if no_turbo else "for steadier figures: turn boost off"
        return Finding("note", "turbo", "on: the clock depends on heat and on how many cores work", advice)
    return Finding("good", "turbo", "off") if no_turbo or boost else None


def _threads_per_core(root: Path) -> Finding | None:
    active = _text(root / "sys/devices/system/cpu/smt/active")
    if active == "1":
        advice = "compare `threads` at the number of cores and at twice that; neither is always faster"
        return Finding("note", "SMT", "two threads share the units of a core", advice)
    return None


def _swap(root: Path) -> Finding | None:
    sizes = _meminfo(root)
    used = sizes.get("SwapTotal", 0) - sizes.get("SwapFree", 0)
    if used > SWAPPED_BYTES:
        return Finding("note", "swap", f"{format_bytes(used)} are swapped out", "free memory, then: sudo swapoff -a")
    return Finding("good", "swap", "unused" if sizes.get("SwapTotal") else "none")


def _huge_pages(root: Path) -> Finding | None:
    chosen = re.search(r"\[(\w+)\]", _text(root / "sys/kernel/mm/transparent_hugepage/enabled"))
    if chosen is None:
        return None
    if chosen[1] == "never":
        advice = "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"
        return Finding("note", "huge pages", "never: large reads miss the TLB more often", advice)
    return Finding("good", "huge pages", chosen[1])


def _quota(root: Path) -> Finding | None:
    """A container's share of processor time: a sample that uses it up is stopped in the middle."""
    for folder in _cgroups(root):
        quota, period = _cfs(folder)
        if quota:
            text = f"this process may use {quota / period:.2f} cores of time, and is stopped when it has"
            return Finding("note", "CPU quota", text, "give the container whole cores (a cpuset) instead")
    return Finding("good", "CPU quota", "none")


def _steal(root: Path) -> Finding | None:
    fields = _text(root / "proc/stat").split("\n")[0].split()[1:9]
    if len(fields) < 8:
        return None
    share = int(fields[7]) / max(1, sum(map(int, fields)))
    if share > STEAL_SHARE:
        text = f"{share:.1%} of the time since boot went to other machines on this host"
        return Finding(
            "note", "steal", text, "use a machine of its own; disturbed samples are retaken as far as they show"
        )
    is_guest = " hypervisor" in _text(root / "proc/cpuinfo")
    return Finding("good", "steal", "a virtual machine that got its time" if is_guest else "no virtual machine")


def _pressure(root: Path) -> Finding | None:
    if (root / "proc/pressure/cpu").exists():
        return None
    return Finding(
        "note", "pressure", "the kernel keeps no PSI", "contention is judged by busy time alone; boot with psi=1"
    )


def _energy(root: Path) -> Finding:
    found, why = packages(root / "sys/class/powercap")
    return Finding("good", "CPU energy", "RAPL is readable") if found else Finding("note", "CPU energy", why)


def _perf(root: Path) -> Finding | None:
    level = _text(root / "proc/sys/kernel/perf_event_paranoid")
    if level.lstrip("-").isdigit() and int(level) > 2:
        text = f"perf_event_paranoid is {level}: `perf` cannot look into a run; figures do not need it"
        return Finding("note", "perf", text, "sudo sysctl kernel.perf_event_paranoid=2")
    return None


def _cgroups(root: Path) -> Iterator[Path]:
    """The folders whose limits hold for this process, its own first, of both versions of cgroups."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" or "cpu" in controllers.split(","):
            base = root / "sys/fs/cgroup" / ("" if number == "0" else "cpu")
            own = base / path.lstrip("/")
            yield from (place for place in (own, *own.parents) if place.is_relative_to(base))


def _cfs(folder: Path) -> tuple[int, int]:
    """Quota and period in microseconds; a quota of 0 is none."""
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    if not quota:
        quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
    return (int(quota), int(period)) if quota.isdigit() and period.isdigit() and int(period) else (0, 1)


def _meminfo(root: Path) -> dict[str, int]:
    lines = (line.partition(":") for line in _text(root / "proc/meminfo").splitlines())
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in lines if rest}


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
