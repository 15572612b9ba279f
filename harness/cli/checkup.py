"""What stands in the way of good figures on this machine, looked at from outside; every finding says what to do."""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from harness.cli.disturbances import Finding, disturbances
from harness.config.search import GET_SMOLLM2, SMOLLM2, find_model
from harness.core.devices import usable_cores, usable_cuda
from harness.core.plan.text import format_bytes
from harness.errors import ModelNotFound
from harness.runner.prepare import cache_folder
from harness.telemetry.culprits import culprits
from harness.telemetry.fingerprint import fingerprint
from harness.telemetry.frequency import throttle_count

PEERS = {"ik_wheel": "ik_llama_cpp", "xllamacpp": "xllamacpp"}
MEMINFO = Path("/proc/meminfo")
LOW_BYTES = 4 << 30


def checkup(results: Path) -> Iterator[Finding]:
    """All findings; takes about half a second, in which other processes are watched."""
    yield from _processor()
    yield from disturbances()
    yield from _others()
    yield _memory()
    yield from (_disk(name, folder) for name, folder in (("results", results), ("made models", cache_folder())))
    yield _gpu()
    yield _native()
    yield from _peers()
    yield _real_model()


def _processor() -> Iterator[Finding]:
    machine = fingerprint()
    yield Finding(
        "good", "CPU", f"{machine.cpu_info}, {usable_cores()} of {machine.n_cores} cores usable, {machine.simd}"
    )
    if "avx2" not in machine.simd.split():
        yield Finding("note", "SIMD", "no AVX2", "the CPU core falls back to plain code; its speeds say little")
    if machine.governor not in {"", "performance"}:
        advice = "sudo cpupower frequency-set -g performance"
        yield Finding("note", "clock", f"the governor is {machine.governor}, so the clock moves", advice)
    if throttled := throttle_count():
        yield Finding("note", "heat", f"cores were slowed {throttled} times since boot", "improve the cooling")


def _others() -> Iterator[Finding]:
    found = culprits((os.getpid(),))
    if found:
        named = ", ".join(str(culprit) for culprit in found[:3])
        yield Finding("note", "other processes", named, "end them, or expect retaken samples and wide intervals")
    else:
        yield Finding("good", "other processes", "quiet")


def _memory() -> Finding:
    sizes = {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in MEMINFO.read_text().splitlines()}
    available, total = sizes["MemAvailable"], sizes["MemTotal"]
    text = f"{format_bytes(available)} of {format_bytes(total)} available"
    if available < LOW_BYTES:
        return Finding("note", "memory", text, "a model has to fit in it; see `harness plan CONFIG`")
    return Finding("good", "memory", text)


def _disk(what: str, folder: Path) -> Finding:
    here = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir())
    text = f"{format_bytes(shutil.disk_usage(here).free)} free in {folder}"
    if not os.access(here, os.W_OK):
        return Finding("bad", f"disk for {what}", f"{here} cannot be written to", "choose another folder")
    if shutil.disk_usage(here).free < LOW_BYTES:
        return Finding("note", f"disk for {what}", text, "make room, or choose another folder")
    return Finding("good", f"disk for {what}", text)


def _gpu() -> Finding:
    usable, reason = usable_cuda()
    return Finding("good" if usable else "note", "GPU", reason, "" if usable else "device auto is cpu:0 here")


def _native() -> Finding:
    try:
        from harness.core.cpu import CpuBackend  # noqa: F401, PLC0415  whether it can be imported is the question
    except ImportError as error:
        return Finding("bad", "CPU core", f"its native part cannot be imported ({error})", "`make run` builds it")
    return Finding("good", "CPU core", "its native part is built")


def _peers() -> Iterator[Finding]:
    for engine, package in PEERS.items():
        if find_spec(package):
            yield Finding("good", f"engine {engine}", "installed")
        else:
            yield Finding("note", f"engine {engine}", "not installed", "pip install 'harness[peers]'")


def _real_model() -> Finding:
    try:
        return Finding("good", "SmolLM2", str(find_model(SMOLLM2, Path.cwd())))
    except ModelNotFound:
        return Finding("note", "SmolLM2", "not found; configs/smollm2.yaml cannot run", GET_SMOLLM2)
