"""What loading takes to the first logits, in turns: every case of a config, and a plain read of the file beside them.

Each load has a process of its own. A warm one finds the file in the page cache; before a cold one the file is dropped
from it, and mincore has to say that no page is left. Most of the free memory is touched once before: a virtual machine
gets a page from its host when it is first touched, which can take ten times as long as loading into it. Within a round
every way has one turn, in rotated order, so that ratios are paired; they come with their 95 % interval over rounds.

    python benchmarks/load.py --config configs/load.yaml --rounds 6
"""

import argparse
import ctypes
import json
import mmap
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import exp, log, sqrt
from pathlib import Path

from scipy.stats import t as student

from harness.config import expand, load_config
from harness.core.loader.host_memory import available_bytes
from harness.engines.registry import build
from harness.records.case import Case
from harness.runner.prepare import cache_folder, is_made, make_file, prepared

READ = "plain read"
READ_BYTES = 8 << 20
BASE = "core"


@dataclass(frozen=True)
class Load:
    """One load: to the first logits, and the most memory its process ever had."""

    total_ns: int
    peak_bytes: int
    phase_ns: Mapping[str, int]


def main() -> int:
    asked = parsed()
    cases, names = cases_of(asked.config)
    if asked.child is not None:
        print(json.dumps(asdict(load(cases[asked.child]) if asked.child >= 0 else read(path_of(cases[0])))))
        return 0
    ways = {READ: -1} | {name: index for index, name in enumerate(names)}
    touch_free_memory()
    for temperature in asked.temperatures:
        rounds = [one_round(asked.config, path_of(cases[0]), ways, temperature, turn) for turn in range(asked.rounds)]
        print(f"\n**{temperature}**, {len(rounds)} rounds\n")
        print(table(rounds, Path(path_of(cases[0])).stat().st_size), flush=True)
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/load.yaml"))
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--temperatures", nargs="+", choices=["warm", "cold"], default=["warm", "cold"])
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def cases_of(config: Path) -> tuple[list[Case], list[str]]:
    """The config's cases, their model made where it has to be, and what tells them apart."""
    found = expand(load_config(config)).cases
    return [with_file(case) for case in found], [short(case) for case in found]


def with_file(case: Case) -> Case:
    if not is_made(case.model):
        return case
    return replace(case, model=replace(case.model, path=str(prepared(case.model, cache_folder(), make_file))))


def short(case: Case) -> str:
    axes = case.axes
    switches = {"merged": axes.merge_up_gate, axes.layout: axes.layout != "auto", "-rtr": axes.repack}
    return " ".join([axes.engine, *(name for name, on in switches.items() if on)])


def path_of(case: Case) -> str:
    if case.model.path is None:
        raise SystemExit(f"{case.model.label} has no file")
    return case.model.path


def one_round(config: Path, path: str, ways: Mapping[str, int], temperature: str, turn: int) -> dict[str, Load]:
    """Every way once, beginning with another one each time."""
    names = list(ways)
    names = names[turn % len(names) :] + names[: turn % len(names)]
    found = {}
    for name in names:
        if temperature == "cold":
            evict(path)
        else:
            read(path)
        command = [sys.executable, __file__, "--config", str(config), "--child", str(ways[name])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name}: {done.stderr[-2000:]}")
        found[name] = Load(**json.loads(done.stdout.splitlines()[-1]))
    return found


def touch_free_memory() -> None:
    """Have the machine own most of its free memory; in a child, which gives it back by ending."""
    if os.fork() == 0:
        n_bytes = available_bytes() * 3 // 4
        memory = mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_HUGEPAGE)
        for offset in range(0, n_bytes, mmap.PAGESIZE):
            memory[offset] = 1
        os._exit(0)
    os.wait()


def peak_bytes() -> int:
    """The most memory this program ever had; what its parent had before exec is not counted."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def load(case: Case) -> Load:
    """In a child: the engine's load, to its first logits."""
    engine = build(case.axes.engine)
    report = engine.load(case)
    phases = dict(report.phase_ns)
    return Load(sum(phases.values()), peak_bytes(), phases)


def read(path: str) -> Load:
    """The whole file into one small buffer."""
    buffer, descriptor = bytearray(READ_BYTES), os.open(path, os.O_RDONLY)
    started = time.perf_counter_ns()
    while os.readv(descriptor, [buffer]):
        pass
    elapsed = time.perf_counter_ns() - started
    os.close(descriptor)
    return Load(elapsed, peak_bytes(), {"read": elapsed})


def evict(path: str) -> None:
    """Drop a file from the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        if left := resident_pages(descriptor):
            raise SystemExit(f"{path}: {left} pages are still in the page cache; somebody else uses the file")
    finally:
        os.close(descriptor)


def resident_pages(descriptor: int) -> int:
    """How many pages of a file are in memory, by mincore."""
    size = os.fstat(descriptor).st_size
    n_pages = -(-size // mmap.PAGESIZE)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    pages = (ctypes.c_ubyte * n_pages)()
    if libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), pages):
        raise OSError(ctypes.get_errno(), "mincore")
    libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(size))
    return sum(page & 1 for page in pages)


def table(rounds: Sequence[Mapping[str, Load]], n_bytes: int) -> str:
    """Markdown: medians; ratios to the plain read and to the core without the merge, paired by round."""
    names = list(rounds[0])
    lines = [
        "| way | s | GB/s | peak GiB | phases, s | / plain read | / core |",
        "| --- | --: | --: | --: | --- | --- | --- |",
    ]
    for name in sorted(names, key=lambda name: (name != READ, name)):
        loads = [one[name] for one in rounds]
        seconds = statistics.median(one.total_ns for one in loads) / 1e9
        peak = max(one.peak_bytes for one in loads) / 2**30
        phases = ", ".join(
            f"{phase} {statistics.median(one.phase_ns[phase] for one in loads) / 1e9:.2f}"
            for phase in loads[0].phase_ns
            if statistics.median(one.phase_ns[phase] for one in loads) > 5e6
        )
        ratios = " | ".join(
            interval([one[name].total_ns / one[other].total_ns for one in rounds]) for other in (READ, BASE)
        )
        lines.append(f"| {name} | {seconds:.2f} | {n_bytes / seconds / 1e9:.2f} | {peak:.2f} | {phases} | {ratios} |")
    return "\n".join(lines)


def interval(ratios: Sequence[float]) -> str:
    """Their geometric mean with its 95 % interval."""
    logs = [log(ratio) for ratio in ratios]
    mean = statistics.fmean(logs)
    if len(logs) < 2:
        return f"{exp(mean):.3f}"
    half = float(student.ppf(0.975, len(logs) - 1)) * statistics.stdev(logs) / sqrt(len(logs))
    return f"{exp(mean):.3f} [{exp(mean - half):.3f}, {exp(mean + half):.3f}]"


if __name__ == "__main__":
    sys.exit(main())
