"""What doctor reads from /proc and /sys, on made systems; and how it words a machine's own noise."""

from pathlib import Path

import pytest

from harness.cli.disturbances import Finding, disturbances
from harness.cli.doctor import limit_findings, noise_finding
from harness.records.record import Limits
from harness.runner.noise import RowNoise

CALM = {
    "proc/meminfo": "MemTotal: 100 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
    "proc/stat": "cpu  100 0 100 9000 0 0 0 0 0 0\n",
    "proc/cpuinfo": "flags : sse avx2\n",
    "proc/pressure/cpu": "some total=0\n",
    "proc/self/cgroup": "0::/a/b\n",
    "proc/sys/kernel/perf_event_paranoid": "2\n",
    "sys/fs/cgroup/a/cpu.max": "max 100000\n",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "1\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/class/powercap/intel-rapl:0/name": "package-0\n",
    "sys/class/powercap/intel-rapl:0/energy_uj": "7\n",
    "sys/class/powercap/intel-rapl:0/max_energy_range_uj": "1000\n",
}


def found(root: Path, changes: dict[str, str | None]) -> dict[str, Finding]:
    for name, text in (CALM | changes).items():
        if text is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    return {finding.what: finding for finding in disturbances(root)}


def test_a_calm_system_has_nothing_to_note(tmp_path: Path) -> None:
    assert {finding.grade for finding in found(tmp_path, {}).values()} == {"good"}


@pytest.mark.parametrize(
    ("what", "changes", "told"),
    [
        ("turbo", {"sys/devices/system/cpu/intel_pstate/no_turbo": "0"}, "the clock depends on heat"),
        (
            "turbo",
            {"sys/devices/system/cpu/intel_pstate/no_turbo": None, "sys/devices/system/cpu/cpufreq/boost": "1"},
            "on",
        ),
        ("SMT", {"sys/devices/system/cpu/smt/active": "1"}, "share the units of a core"),
        ("swap", {"proc/meminfo": "SwapTotal: 900000 kB\nSwapFree: 100000 kB\n"}, "781.2 MiB are swapped out"),
        ("huge pages", {"sys/kernel/mm/transparent_hugepage/enabled": "always madvise [never]"}, "miss the TLB"),
        ("CPU quota", {"sys/fs/cgroup/a/cpu.max": "150000 100000"}, "1.50 cores of time"),
        (
            "CPU quota",
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/x\n",
                "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "50000",
                "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000",
            },
            "0.50 cores of time",
        ),
        ("steal", {"proc/stat": "cpu  100 0 100 9000 0 0 0 200 0 0"}, "2.1%"),
        ("pressure", {"proc/pressure/cpu": None}, "no PSI"),
        ("CPU energy", {"sys/class/powercap/intel-rapl:0/energy_uj": None}, "energy"),
        ("perf", {"proc/sys/kernel/perf_event_paranoid": "4"}, "perf_event_paranoid is 4"),
    ],
)
def test_what_moves_figures_is_noted(what: str, changes: dict[str, str | None], told: str, tmp_path: Path) -> None:
    finding = found(tmp_path, changes)[what]
    assert finding.grade == "note"
    assert told in finding.text


def test_a_system_that_shows_nothing_is_no_obstacle(tmp_path: Path) -> None:
    assert all(finding.grade != "bad" for finding in disturbances(tmp_path))


def test_noise_is_told_as_the_pairs_that_one_percent_takes() -> None:
    quiet = noise_finding(RowNoise("pp128", 20, 0, 0.004, 8, 3))
    assert (quiet.grade, quiet.what) == ("good", "noise of pp128")
    assert "20 pairs scatter by 0.40%: 1 % is found in 8 pairs, SAME within ± 1 % in 3" in quiet.text
    loud = noise_finding(RowNoise("tg32", 5, 9, 0.5, 100_000, 9000))
    assert loud.grade == "note"
    assert "9 more were disturbed" in loud.text
    assert "cannot be found" in loud.text


def test_the_best_limits_are_named() -> None:
    told = list(limit_findings(Limits({"a": 1e9, "b": 2e9}, {})))
    assert [finding.text for finding in told] == ["2.0 GB/s (b)"]
