"""What the sampling loop sees of telemetry: a mark before a sample, a mark after it, and what lay between.

Where all cores of a CPU measure, a sampler process would take a slice of one: then only the marks read counters.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.records.timing import Contention
from harness.telemetry.contention import ContentionProbe, Edge
from harness.telemetry.energy import SHORTEST_RAPL_NS, Energy, PowerPoint, gpu_energy, total
from harness.telemetry.nvml import Gpus, xid_verdict
from harness.telemetry.rapl import Package, packages
from harness.telemetry.reading import Reader, Reading, summary
from harness.telemetry.sampler import PERIOD_NS, Sampler


@dataclass(frozen=True)
class Mark:
    """All counters at one edge of a sample."""

    edge: Edge
    reading: Reading


@dataclass(frozen=True)
class Observed:
    """What lay between two marks. `disturbed`: why the sample should be retaken; `broken`: why the GPU cannot go on."""

    contention: Contention
    energy: Energy
    telemetry: Mapping[str, float] = field(default_factory=dict)
    disturbed: str = ""
    broken: str = ""


class Watch:
    """Telemetry of one case. `notes` are plain statements of what cannot be recorded here."""

    def __init__(self, device: str, threads: int, pids: Sequence[int] = (), gpus: Gpus | None = None) -> None:
        self._on_gpu = device.startswith("cuda:")
        self._gpus = gpus or Gpus()
        self._packages, no_rapl = packages()
        ours = tuple(pids) or (os.getpid(), os.getppid())
        self._sampler = Sampler(ours[:1]) if leaves_a_core_free(device, threads) else None
        counted = (*ours, self._sampler.pid) if self._sampler else ours
        self._probe = ContentionProbe(counted, self._gpus.harmful_reasons)
        self._reader = Reader(ours[:1], self._gpus, self._packages)
        self.notes = tuple(note for note in (self._gpus.note if self._on_gpu else no_rapl,) if note)

    def mark(self) -> Mark:
        """Take it right before and right after the timed part."""
        return Mark(self._probe.edge(), self._reader.read())

    def between(self, start: Mark, end: Mark) -> Observed:
        """What happened to the sample between two marks."""
        readings = self._series(start.reading, end.reading)
        contention = self._probe.between(start.edge, end.edge)
        elapsed = end.edge.monotonic_ns - start.edge.monotonic_ns
        return Observed(
            contention=contention,
            energy=self._energy(readings),
            telemetry=summary(readings),
            disturbed=self._probe.disturbance(contention, elapsed),
            broken=self._broken(start.reading, end.reading),
        )

    def close(self) -> None:
        """End the sampler, give back the driver. Never raises."""
        if self._sampler is not None:
            self._sampler.close()
        self._gpus.close()

    def _series(self, start: Reading, end: Reading) -> tuple[Reading, ...]:
        inside = self._sampler.readings(start.time_ns, end.time_ns) if self._sampler else ()
        return (start, *inside, end)

    def _energy(self, readings: Sequence[Reading]) -> Energy:
        if not self._on_gpu:
            return rapl_energy(self._packages, readings[0], readings[-1])
        cards = range(min(len(r.gpus) for r in readings))
        return total([gpu_energy([_point(r, card) for r in readings], PERIOD_NS) for card in cards])

    def _broken(self, start: Reading, end: Reading) -> str:
        for xid in self._gpus.xids():
            if xid_verdict(xid) != "noted":
                return f"the driver reported Xid {xid} ({xid_verdict(xid)})"
        for before, after in zip(start.gpus, end.gpus, strict=False):
            if (after.ecc_uncorrected or 0) > (before.ecc_uncorrected or 0):
                return "the card reported an uncorrected memory error"
        return ""


def leaves_a_core_free(device: str, threads: int) -> bool:
    """Whether a sampler process can run without taking time from a measuring core."""
    cores = os.cpu_count() or 1
    if device.startswith("cuda:"):
        return cores > 1
    return 0 < threads < cores


def rapl_energy(found: Sequence[Package], start: Reading, end: Reading) -> Energy:
    """Energy of all CPU packages between two readings."""
    if not found:
        return Energy(None, "no energy counter of the CPU is readable here")
    if end.time_ns - start.time_ns < SHORTEST_RAPL_NS:
        return Energy(None, "the sample is too short for the CPU's energy counter")
    parts = zip(found, start.packages_j, end.packages_j, strict=True)
    return total([Energy(p.grown_j(a, b)) if a is not None and b is not None else UNREAD for p, a, b in parts])


UNREAD = Energy(None, "the CPU's energy counter could not be read at an edge")


def _point(reading: Reading, card: int) -> PowerPoint:
    gpu = reading.gpus[card]
    return PowerPoint(reading.time_ns, gpu.power_w, gpu.energy_j)
