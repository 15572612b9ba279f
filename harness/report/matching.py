"""Which of a machine's limits a row may be held against: those measured with as many threads as it had."""

import re

from harness.records.axes import Axes
from harness.records.record import Limits

_THREADS = re.compile(r", (\d+) threads?$")


def matching(limits: Limits, axes: Axes) -> Limits:
    """The limits of a CPU at the case's thread count (the most threads for 0, or a count not measured); a GPU's own."""
    names = (*limits.bandwidth, *limits.rate)
    counts = [count for name in names if (count := _threads(name)) is not None]
    on_gpu = axes.device.startswith("cuda:")
    wanted = None if on_gpu or not counts else axes.threads if axes.threads in counts else max(counts)
    return Limits(
        {name: value for name, value in limits.bandwidth.items() if _threads(name) == wanted},
        {name: value for name, value in limits.rate.items() if _threads(name) == wanted},
    )


def _threads(name: str) -> int | None:
    """The thread count at the end of a limit's name; None for a GPU's."""
    match = _THREADS.search(name)
    return int(match[1]) if match else None
