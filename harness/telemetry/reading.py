"""One look at host and GPUs, and what a series of looks amounts to. A reading only reads: it changes no setting."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from harness.telemetry.frequency import mean_mhz
from harness.telemetry.nvml import GpuReading, Gpus
from harness.telemetry.rapl import Package


@dataclass(frozen=True)
class Reading:
    """Everything at `time_ns` (monotonic). `rss_bytes` is of the watched processes together."""

    time_ns: int
    rss_bytes: int = 0
    mhz: float | None = None
    gpus: tuple[GpuReading, ...] = ()
    packages_j: tuple[float | None, ...] = ()


class Reader:
    """Takes readings of given processes, all GPUs and all CPU packages."""

    def __init__(self, pids: Sequence[int], gpus: Gpus, packages: Sequence[Package]) -> None:
        self._processes = [p for pid in pids if (p := _open(pid)) is not None]
        self._gpus = gpus
        self._packages = tuple(packages)

    def read(self) -> Reading:
        """One reading; under half a millisecond without GPUs."""
        rss = 0
        for process in self._processes:
            try:
                rss += process.memory_info().rss
            except psutil.Error:
                continue  # it ended
        return Reading(
            time_ns=time.monotonic_ns(),
            rss_bytes=rss,
            mhz=mean_mhz(),
            gpus=self._gpus.read(),
            packages_j=tuple(package.read_j() for package in self._packages),
        )


def summary(readings: Sequence[Reading]) -> dict[str, float]:
    """What a result keeps of a sample's readings: means and peaks by name and unit; unknown ones are left out."""
    found: dict[str, float] = {}
    if readings:
        found["rss_peak_bytes"] = max(r.rss_bytes for r in readings)
    for index in range(min((len(r.gpus) for r in readings), default=0)):
        cards = [r.gpus[index] for r in readings]
        for name, value in (
            ("power_w", _mean([c.power_w for c in cards])),
            ("sm_mhz", _mean([c.sm_mhz for c in cards])),
            ("memory_mhz", _mean([c.memory_mhz for c in cards])),
            ("temperature_peak_c", _peak([c.temperature_c for c in cards])),
            ("memory_peak_bytes", _peak([c.memory_bytes for c in cards])),
        ):
            if value is not None:
                found[f"gpu{index}.{name}"] = value
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _peak(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(max(known)) if known else None


def _open(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None
