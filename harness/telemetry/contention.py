"""What else used the machine while a sample was taken. It reads counters at a sample's edges and nothing in between."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.records.timing import Contention
from harness.telemetry import proc as counters
from harness.telemetry.frequency import core_mhz, throttle_count

FOREIGN_CORES = 0.10
"""A tenth of one core: above what an idle machine's own daemons take, below what one busy process takes."""
FOREIGN_SHARE = 0.01
"""On large machines daemons add up; one percent of all cores is let pass."""
WAITED_SHARE = 0.05
"""Of a sample's time, for which our threads, added up, had work and no core. Exact, so that it finds a disturbance in
samples shorter than a clock tick."""
OWN_SHARE = 0.97
"""Beyond it the cores were ours, and who waited, waited for threads of its own: more of them than cores."""
TICKS_OF_DOUBT = 3
"""Busy time is counted in ticks: a short sample is not called contended for less than these."""


@dataclass(frozen=True)
class Edge:
    """All counters at one moment; None where not readable. `reasons`: why a GPU is throttling right now."""

    monotonic_ns: int
    boottime_ns: int
    busy_ns: int | None
    own_ns: int | None
    stalled_ns: int | None
    major_faults: int
    migrations: int | None
    mhz: float | None
    throttle_count: int | None
    reasons: tuple[str, ...] = ()
    waited_ns: int | None = None


class ContentionProbe:
    """Counts for a set of processes that are ours: the measuring one, its parent, the telemetry sampler.

    Children count as ours once waited for. `throttle_reasons` is asked at every edge (a GPU's clock event reasons).
    """

    def __init__(
        self,
        pids: Sequence[int] = (),
        throttle_reasons: Callable[[], tuple[str, ...]] = tuple,
        proc: Path = counters.PROC,
    ) -> None:
        self._pids = tuple(pids) or (os.getpid(),)
        self._throttle_reasons = throttle_reasons
        self._proc = proc
        self.n_cores = os.cpu_count() or 1

    def edge(self) -> Edge:
        """A snapshot, well under a millisecond; take it just before and just after the timed part."""
        ours = [found for pid in self._pids if (found := counters.process(pid, self._proc)) is not None]
        moved = [p.migrations for p in ours if p.migrations is not None]
        waited = [p.waited_ns for p in ours if p.waited_ns is not None]
        return Edge(
            monotonic_ns=time.monotonic_ns(),
            boottime_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            busy_ns=counters.busy_ns(self._proc),
            own_ns=sum(p.cpu_ns for p in ours) if ours else None,
            stalled_ns=counters.stalled_ns(self._proc),
            major_faults=sum(p.major_faults for p in ours),
            migrations=sum(moved) if moved else None,
            mhz=core_mhz(),
            throttle_count=throttle_count(),
            reasons=self._throttle_reasons(),
            waited_ns=sum(waited) if waited else None,
        )

    def between(self, start: Edge, end: Edge) -> Contention:
        """What happened from `start` to `end`; shares are of the time of all cores of the machine."""
        elapsed = max(end.monotonic_ns - start.monotonic_ns, 1)
        busy, own = _grown(start.busy_ns, end.busy_ns), _grown(start.own_ns, end.own_ns)
        foreign = None if busy is None or own is None else max(busy - own, 0)
        stalled = _grown(start.stalled_ns, end.stalled_ns)
        waited = _grown(start.waited_ns, end.waited_ns)
        alone = own is not None and own > OWN_SHARE * elapsed * self.n_cores
        clocks = [mhz for mhz in (start.mhz, end.mhz) if mhz is not None]
        return Contention(
            foreign_cpu=None if foreign is None else min(foreign / (elapsed * self.n_cores), 1.0),
            pressure=None if stalled is None else min(stalled / elapsed, 1.0),
            major_faults=max(end.major_faults - start.major_faults, 0),
            migrations=_grown(start.migrations, end.migrations),
            mean_mhz=sum(clocks) / len(clocks) if clocks else None,
            throttle=_throttling(start, end, elapsed),
            waited=None if waited is None else 0.0 if alone else waited / elapsed,
        )

    def disturbance(self, contention: Contention, elapsed_ns: int) -> str:
        """Why a sample of `elapsed_ns` should be retaken, in words for a person; empty if nothing speaks against it."""
        if contention.throttle:
            return f"throttled: {', '.join(contention.throttle)}"
        doubt = TICKS_OF_DOUBT * counters.TICK_NS / max(elapsed_ns, 1)
        foreign = (contention.foreign_cpu or 0.0) * self.n_cores
        if foreign > max(FOREIGN_CORES, FOREIGN_SHARE * self.n_cores) + doubt:
            return f"other processes used {foreign:.2f} of {self.n_cores} cores"
        if (contention.waited or 0.0) > WAITED_SHARE:
            return f"our threads waited for a core for {contention.waited:.0%} of the time"
        return ""


def _throttling(start: Edge, end: Edge, elapsed_ns: int) -> tuple[str, ...]:
    reasons = list(dict.fromkeys(start.reasons + end.reasons))
    if _grown(start.throttle_count, end.throttle_count):
        reasons.append("cpu thermal")
    asleep_ns = (end.boottime_ns - start.boottime_ns) - elapsed_ns
    if asleep_ns > 10_000_000:
        reasons.append("the machine was suspended")
    return tuple(reasons)


def _grown(start: int | None, end: int | None) -> int | None:
    """The growth of a counter; one that shrank, as a thread of a sum ended, grew by at least 0."""
    return None if start is None or end is None else max(end - start, 0)
