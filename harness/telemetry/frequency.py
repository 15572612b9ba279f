"""How fast the cores tick and whether heat holds them back. Virtual machines often hide both: then None."""

from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")
MOST_CORES_READ = 16
"""Reading one core's clock can cost an interrupt on it; a few cores stand for all."""


def mean_mhz(cpus: Path = CPUS) -> float | None:
    """The mean current clock of the first cores, as cpufreq tells it."""
    khz = _numbers(cpus, "cpufreq/scaling_cur_freq")
    return sum(khz) / len(khz) / 1000 if khz else None


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


def _numbers(cpus: Path, leaf: str) -> list[int]:
    found = []
    for core in range(MOST_CORES_READ):
        try:
            found.append(int((cpus / f"cpu{core}" / leaf).read_text()))
        except (OSError, ValueError):
            break
    return found
