"""Energy of CPU packages from the powercap tree. Since 2020 most systems let only root read it: then a note says so."""

from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Package:
    """One package's counter: micro-joules that wrap at `range_uj`."""

    energy_file: Path
    range_uj: int

    def read_j(self) -> float | None:
        """The counter in joules; meaningful only as a difference of two, see `grown_j`."""
        try:
            return int(self.energy_file.read_text()) / 1e6
        except (OSError, ValueError):
            return None

    def grown_j(self, start_j: float, end_j: float) -> float:
        """The energy used between two readings, at most one wrap apart."""
        return end_j - start_j if end_j >= start_j else end_j - start_j + self.range_uj / 1e6


def packages(root: Path = POWERCAP) -> tuple[tuple[Package, ...], str]:
    """The packages that can be read, and why there are none if there are none."""
    found, denied = [], False
    for zone in sorted(root.glob("intel-rapl:*")):  # AMD's zones bear this name as well
        try:
            if not (zone / "name").read_text().startswith("package"):
                continue
            package = Package(zone / "energy_uj", int((zone / "max_energy_range_uj").read_text()))
        except (OSError, ValueError):
            continue
        if package.read_j() is None:
            denied = True
        else:
            found.append(package)
    if found:
        return tuple(found), ""
    if denied:
        return (), "the CPU's energy counter (RAPL) may be read by root only: energy is not recorded."
    return (), "this machine shows no energy counter of the CPU (RAPL): energy is not recorded."
