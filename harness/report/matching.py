"""Which of a machine's limits a row may be held against: those measured with as many threads as it had, or on its card.

Names end in the number of threads or in the card: harness/telemetry/limits.py, harness/runner/surveying.py.
"""

import re

from harness.records.axes import Axes
from harness.records.record import Limits

_THREADS = re.compile(r", (\d+) threads?$")


def matching(limits: Limits, axes: Axes) -> Limits:
    """The limits of a CPU at the case's thread count (the most threads for 0, or a count not measured); a card's own.

    Several devices together have none: how much of each they could use at once is not known.
    """
    names = (*limits.bandwidth, *limits.rate)
    counts = [count for name in names if (count := _threads(name)) is not None]
    threads = axes.threads if axes.threads in counts else max(counts, default=None)
    on_card = axes.device.startswith("cuda")

    def fits(name: str) -> bool:
        return name.endswith(f", {axes.device}") if on_card else _threads(name) == threads

    return Limits(
        {name: value for name, value in limits.bandwidth.items() if fits(name)},
        {name: value for name, value in limits.rate.items() if fits(name)},
    )


def _threads(name: str) -> int | None:
    """The thread count at the end of a limit's name; None for a GPU's."""
    match = _THREADS.search(name)
    return int(match[1]) if match else None
