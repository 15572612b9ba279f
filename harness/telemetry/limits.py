"""What this machine can do at most, measured now, by kernels that do nothing else. Another hour is another machine.

Keys end with the number of threads. Bandwidth: sequential reads, on 4 KiB and on 2 MiB pages. Rates count
multiply-accumulates: int8 by `maddubs+madd` (any weights), `int16-summed` (eight products before one widening: small
weights), `vnni` where there is one; float32 by FMA. A card's limits are in harness/core/limits.py.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from harness.errors import EngineError
from harness.records.record import Limits

PASSES = 3
SECONDS = 0.05
"""One pass of one rate; the best pass counts, since a limit is what nothing disturbed."""
LEAST_BUFFER = 512 << 20
CACHES_OVER = 16
"""A last cache keeps some of what passes through: reads of eight times its size were still 3 to 10 % too fast."""
MEMINFO = Path("/proc/meminfo")


def measure(threads: Sequence[int] = (), passes: int = PASSES, seconds: float = SECONDS) -> Limits:
    """Some five seconds at full load, with one thread, with all, and with as many as `threads` names (0: all).

    Errors: EngineError if the kernels are not built.
    """
    native = _native()
    bandwidth: dict[str, float] = {}
    rate: dict[str, float] = {}
    n_bytes = buffer_bytes()
    cores = native.usable_cores()
    for count in sorted({1, cores, *(min(n, cores) for n in threads if n)}):
        label = "1 thread" if count == 1 else f"{count} threads"
        for pages, huge in (("4 KiB pages", False), ("huge pages", True)):
            found = native.read_bandwidth(count, n_bytes, huge, passes)
            if found:  # a system may refuse huge pages
                bandwidth[f"read, {pages}, {label}"] = found
        rate |= {f"{name}, {label}": found for name, found in native.multiply_rates(count, seconds, passes)}
    return Limits(bandwidth, rate)


def buffer_bytes(meminfo: Path = MEMINFO) -> int:
    """A buffer well beyond the last cache, within a quarter of the free memory."""
    try:
        cache = os.sysconf("SC_LEVEL3_CACHE_SIZE")
    except (ValueError, OSError):
        cache = 0
    wanted = max(LEAST_BUFFER, CACHES_OVER * cache)
    for line in meminfo.read_text().splitlines() if meminfo.exists() else ():
        if line.startswith("MemAvailable:"):
            return min(wanted, int(line.split()[1]) * 1024 // 4)
    return wanted


def _native() -> ModuleType:
    try:
        from harness.telemetry import _limits  # type: ignore[attr-defined]  # noqa: PLC0415  it may not be built
    except ImportError as error:
        raise EngineError(f"the limit kernels are not built ({error}); `make run` builds them.") from error
    return _limits  # type: ignore[no-any-return]
