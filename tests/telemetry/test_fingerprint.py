"""The machine's kind, without the machine's owner."""

import getpass
from pathlib import Path

from harness.records.json import to_json
from harness.telemetry.fingerprint import Cpu, device_class, fingerprint, os_name, read_cpu
from harness.telemetry.frequency import governor, mean_mhz, throttle_count

CPUINFO = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 23
model\t\t: 49
model name\t: AMD EPYC  7502 32-Core Processor
stepping\t: 0
flags\t\t: fpu avx2 fma f16c

processor\t: 1
model name\t: another
"""


def test_the_first_processor_is_read_with_family_and_flags(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(CPUINFO)
    cpu = read_cpu(tmp_path / "cpuinfo")
    assert cpu == Cpu("AMD EPYC 7502 32-Core Processor", "family 23-49-0", frozenset({"fpu", "avx2", "fma", "f16c"}))
    assert read_cpu(tmp_path / "nowhere") == Cpu()


def test_this_machine_has_a_fingerprint_without_names_of_people_or_hosts() -> None:
    text = to_json(fingerprint())
    assert f'"{getpass.getuser()}"' not in text
    assert str(Path.home()) + "/" not in text


def test_the_device_class_ignores_software_and_the_last_half_gibibyte() -> None:
    cpu = Cpu("CPU", "family 1-2-3", frozenset())
    assert device_class(cpu, 8, 31 << 30, "avx2 fma", ["RTX"]) == device_class(cpu, 8, 33 << 30, "avx2 fma", ["RTX"])
    assert device_class(cpu, 8, 31 << 30, "avx2", []) != device_class(cpu, 16, 31 << 30, "avx2", [])
    assert (
        device_class(cpu, 8, 31 << 30, "avx2 fma", ["RTX"]) == "CPU | family 1-2-3 | 8 cores | 32 GiB | avx2+fma | RTX"
    )


def test_the_systems_name_is_the_pretty_one(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text('NAME="x"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    assert os_name(tmp_path / "os-release") == "Debian GNU/Linux 12 (bookworm)"


def test_clock_throttling_and_governor_are_read_where_there_are_any(tmp_path: Path) -> None:
    for core, khz in ((0, 3_000_000), (1, 2_000_000)):
        (tmp_path / f"cpu{core}" / "cpufreq").mkdir(parents=True)
        (tmp_path / f"cpu{core}" / "cpufreq" / "scaling_cur_freq").write_text(f"{khz}\n")
    (tmp_path / "cpu0" / "cpufreq" / "scaling_governor").write_text("performance\n")
    assert (mean_mhz(tmp_path), throttle_count(tmp_path), governor(tmp_path)) == (2500.0, None, "performance")
    assert (mean_mhz(tmp_path / "no"), governor(tmp_path / "no")) == (None, "")
