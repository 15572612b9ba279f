"""The kind of a machine: enough to tell which figures may be compared, nothing that tells whose machine it is."""

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.records.record import Fingerprint
from harness.telemetry.frequency import governor
from harness.telemetry.nvml import gpu_names

SIMD = (
    "avx2",
    "f16c",
    "fma",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "avx512_bf16",
    "amx_int8",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
)
"""The flags of /proc/cpuinfo on which kernels differ, in the order shown."""


@dataclass(frozen=True)
class Cpu:
    """One processor as /proc/cpuinfo describes it; `family_model` tells apart what hypervisors give one name."""

    name: str = ""
    family_model: str = ""
    flags: frozenset[str] = frozenset()


def fingerprint() -> Fingerprint:
    """The machine as it is now. Takes some milliseconds."""
    cpu = read_cpu(Path("/proc/cpuinfo"))
    gpus, driver = gpu_names()
    simd = " ".join(flag for flag in SIMD if flag in cpu.flags)
    cores, memory = os.cpu_count() or 1, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Fingerprint(
        cpu_info=cpu.name or platform.processor() or platform.machine(),
        gpu_info=", ".join(gpus),
        n_cores=cores,
        memory_bytes=memory,
        os=os_name(Path("/etc/os-release")),
        kernel=platform.release(),
        governor=governor(),
        driver=driver,
        compiler=compiler(),
        python=platform.python_version(),
        simd=simd,
        device_class=device_class(cpu, cores, memory, simd, gpus),
    )


def device_class(cpu: Cpu, cores: int, memory_bytes: int, simd: str, gpus: Sequence[str]) -> str:
    """A key equal for machines whose figures may be laid side by side; software is left out, so that it can change."""
    gib = round(memory_bytes / 2**30 / 4) * 4  # firmware keeps a varying part of the last GiB
    parts = [cpu.name, cpu.family_model, f"{cores} cores", f"{gib} GiB", simd.replace(" ", "+"), *gpus]
    return " | ".join(part for part in parts if part)


def read_cpu(cpuinfo: Path) -> Cpu:
    """The first processor of a /proc/cpuinfo; an empty Cpu where there is none."""
    try:
        first = cpuinfo.read_text().split("\n\n")[0]
    except OSError:
        return Cpu()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
    numbers = [fields[key] for key in ("cpu family", "model", "stepping") if key in fields]
    flags = fields.get("flags", fields.get("Features", ""))
    name = re.sub(r"\s+", " ", fields.get("model name", ""))
    return Cpu(name, f"family {'-'.join(numbers)}" if numbers else "", frozenset(flags.split()))


def os_name(os_release: Path) -> str:
    """The distribution's pretty name."""
    try:
        match = re.search(r'^PRETTY_NAME="?([^"\n]*)', os_release.read_text(), re.MULTILINE)
    except OSError:
        return platform.system()
    return match[1] if match else platform.system()


def compiler() -> str:
    """The C++ compiler found here; the one that built the core may differ and reports itself."""
    for name in (os.environ.get("CXX", ""), "g++", "clang++"):
        if name:
            try:
                done = subprocess.run([name, "--version"], capture_output=True, text=True, timeout=10, check=False)
            except (OSError, subprocess.TimeoutExpired):
                continue
            if done.returncode == 0 and done.stdout:
                return done.stdout.splitlines()[0]
    return ""
