"""How fast the cores tick and whether heat holds them back. What a machine hides and cannot be timed is None."""

from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")
CLOCK_ADDITIONS = 100_000
MOST_CORES_READ = 16
"""Reading one core's clock can cost an interrupt on it; a few cores stand for all."""


def mean_mhz(cpus: Path = CPUS) -> float | None:
    """The mean current clock of the first cores, as cpufreq tells it."""
    khz = _numbers(cpus, "cpufreq/scaling_cur_freq")
    return sum(khz) / len(khz) / 1000 if khz else None


def core_mhz(cpus: Path = CPUS) -> float | None:
    """`mean_mhz`, or where cpufreq is hidden, as in most virtual machines, the clock of this core timed for 0.1 ms."""
    told = mean_mhz(cpus)
    return told if told is not None else _timed_mhz()


def throttle_count(cpus: Path = CPUS) -> int | None:
    """How often heat slowed the first cores since boot."""
    counts = _numbers(cpus, "thermal_throttle/core_throttle_count")
    return sum(counts) if counts else None


def governor(cpus: Path = CPUS) -> str:
    """The frequency governor of core 0; empty where there is none to choose."""
    try:
        return (cpus / "cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return ""


def _timed_mhz() -> float | None:
    try:
        from harness.telemetry import _limits  # type: ignore[attr-defined]  # noqa: PLC0415  it may not be built
    except ImportError:
        return None
    return float(_limits.core_clock(CLOCK_ADDITIONS)) / 1e6 or None


def _numbers(cpus: Path, leaf: str) -> list[int]:
    found = []
    for core in range(MOST_CORES_READ):
        try:
            found.append(int((cpus / f"cpu{core}" / leaf).read_text()))
        except (OSError, ValueError):
            break
    return found
