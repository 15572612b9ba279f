"""Whether the host has room for what a plan puts there, asked before anything is allocated.

A process that takes more than there is gets killed, not an error; so this looks first, at the machine's memory and at
the limit of the control group the process is in.
"""

from collections.abc import Mapping
from pathlib import Path

from harness.core.errors import OutOfMemoryError
from harness.core.plan.layout import held_bytes, kind_of
from harness.core.plan.text import format_bytes
from harness.core.plan.types import Plan

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def require_room(plan: Plan, buffer_bytes: int, available: int | None = None) -> None:
    """Errors: OutOfMemoryError naming the bytes that are needed and there, and the largest tensor."""
    copied = [tensor for tensor in plan.tensors if tensor.layout != "mapped" and kind_of(tensor.device) != "cuda"]
    needed = sum(held_bytes(tensor) for tensor in copied) + buffer_bytes
    there = available_bytes() if available is None else available
    if copied and needed > there:
        largest = max(copied, key=held_bytes)
        raise OutOfMemoryError(
            f"the weights need {format_bytes(needed)} of host memory and {format_bytes(there)} are available (the "
            f"largest tensor is {largest.name}, {held_bytes(largest):,} bytes on {largest.device}); use fewer layers, "
            "a smaller model or layout mapped, or stop what else uses the memory"
        )


def available_bytes(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> int:
    """Bytes that can be taken without swapping: the machine's, or what the control group leaves of them."""
    machine = _numbers(meminfo).get("MemAvailable:", 1 << 40) * 1024
    limit, used = _limit(cgroup / "memory.max"), _limit(cgroup / "memory.current")
    if limit is None or used is None:
        return machine
    reclaimable = _numbers(cgroup / "memory.stat").get("inactive_file", 0)
    return max(0, min(machine, limit - used + reclaimable))


def _numbers(path: Path) -> Mapping[str, int]:
    """First words of lines and the numbers after them; nothing where the file is not there."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdecimal()}


def _limit(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
