"""What loading takes to the first logits, in turns: every case of a config, and a plain read of the file beside them.

Every way has a process that stays: asked for a load, it frees the one before, has the file put into the page cache or
dropped from it (mincore has to agree), and loads anew. So memory is filled that was used a moment ago: a virtual
machine may have to get memory that was free for longer from its host, which takes ten times as long as loading into it
and says nothing about a loader. Within a round every way has one turn, in rotated order, forwards and backwards, so
that ratios are paired and every way follows each other one as often.
Processes differ for as long as they live, and the one that starts first gets the better memory: 3 % here. So there are
several sittings with fresh processes, every second one started in the opposite order; the median of a sitting's ratios
is one observation, and intervals are Student's 95 % over sittings. A sitting's first round warms up and does not count.

    python benchmarks/load.py --config configs/load.yaml --sittings 12 --rounds 8
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Self, cast

from asked import config_parser

from harness.config import expand, load_config
from harness.engines.registry import build
from harness.records.case import Case
from harness.runner.pagecache import State, bring_about
from harness.runner.prepare import with_file
from harness.runner.rounds import order
from harness.stats.interval import mean_interval

READ = "plain read"
READ_BYTES = 8 << 20
BASE = "core"


@dataclass(frozen=True)
class Load:
    """One load: to the first logits, and the most memory its process ever had."""

    total_ns: int
    peak_bytes: int
    phase_ns: Mapping[str, int]


Round = dict[str, Load]


def main() -> int:
    asked = parsed()
    cases, names = cases_of(asked.config, asked.overrides)
    path = path_of(cases[0])
    if asked.child is not None:
        serve(reader(path) if asked.child < 0 else loader(cases[asked.child]))
        return 0
    ways = {READ: -1} | {name: index for index, name in enumerate(names) if name in asked.ways or not asked.ways}
    for temperature in asked.temperatures:
        sittings = [sitting(asked, ways, temperature, reverse=bool(n % 2)) for n in range(asked.sittings)]
        print(f"\n**{temperature}**, {asked.sittings} sittings of {asked.rounds} rounds\n")
        print(table(sittings, Path(path).stat().st_size), flush=True)
    return 0


def sitting(asked: argparse.Namespace, ways: Mapping[str, int], temperature: str, *, reverse: bool) -> list[Round]:
    """Rounds in fresh processes, a way each."""
    with ExitStack() as ended:
        started = sorted(ways.items(), key=lambda way: way[1], reverse=reverse)
        children = {name: ended.enter_context(Child(asked.config, asked.overrides, n)) for name, n in started}
        return [one_round(children, temperature, turn) for turn in range(-1, asked.rounds)][1:]


def parsed() -> argparse.Namespace:
    parser = config_parser(__doc__, "configs/load.yaml")
    parser.add_argument("--sittings", type=int, default=12, help="at least two")
    parser.add_argument("--rounds", type=int, default=8, help="of each sitting")
    parser.add_argument("--temperatures", nargs="+", choices=["warm", "cold"], default=["warm", "cold"])
    parser.add_argument("--ways", nargs="+", default=[], help="such as core, 'core merged', 'ik_wheel -rtr'")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def cases_of(config: Path, overrides: Sequence[str]) -> tuple[list[Case], list[str]]:
    """The config's cases, their model made where it has to be, and what tells them apart."""
    found = expand(load_config(config, overrides)).cases
    return [with_file(case) for case in found], [short(case) for case in found]


def short(case: Case) -> str:
    axes = case.axes
    switches = {"merged": axes.merge_up_gate, axes.layout: axes.layout != "auto", "-rtr": axes.repack}
    return " ".join([axes.engine, *(name for name, on in switches.items() if on)])


def path_of(case: Case) -> str:
    if case.model.path is None:
        raise SystemExit(f"{case.model.label} has no file")
    return case.model.path


class Child:
    """A process that loads when told to, with its last load alive in between."""

    def __init__(self, config: Path, overrides: Sequence[str], number: int) -> None:
        sets = [part for text in overrides for part in ("--set", text)]
        command = [sys.executable, __file__, "--config", str(config), *sets, "--child", str(number)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._name = " ".join(command)

    def load(self, temperature: str) -> Load:
        requests, answers = (cast("IO[str]", pipe) for pipe in (self._process.stdin, self._process.stdout))
        print(temperature, file=requests, flush=True)
        if not (answer := answers.readline()):
            raise SystemExit(f"{self._name} ended with {self._process.wait()}")
        return Load(**json.loads(answer))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        cast("IO[str]", self._process.stdin).close()
        self._process.wait()


def one_round(children: Mapping[str, Child], temperature: str, turn: int) -> Round:
    """Every way once. None goes always after the same one, whose load may leave the disk in another state."""
    names = list(children)
    return {names[place]: children[names[place]].load(temperature) for place in order(len(names), turn)}


def serve(load: Callable[[State], Load]) -> None:
    """In a child: a load for every line. What engines print must not be taken for an answer."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(asdict(load(cast("State", line.strip())))), file=answers, flush=True)


def loader(case: Case) -> Callable[[State], Load]:
    """Loads with the case's engine, to its first logits."""
    engine = build(case.axes.engine)

    def load(state: State) -> Load:
        engine.close()
        require(state, path_of(case))
        phases = dict(engine.load(case).phase_ns)
        return Load(sum(phases.values()), peak_bytes(), phases)

    return load


def reader(path: str) -> Callable[[State], Load]:
    """Reads the whole file into one small buffer."""
    buffer = bytearray(READ_BYTES)

    def load(state: State) -> Load:
        require(state, path)
        descriptor = os.open(path, os.O_RDONLY)
        started = time.perf_counter_ns()
        while os.readv(descriptor, [buffer]):
            pass
        elapsed = time.perf_counter_ns() - started
        os.close(descriptor)
        return Load(elapsed, peak_bytes(), {"read": elapsed})

    return load


def require(state: State, path: str) -> None:
    """The file in the page cache, or out of it."""
    if trouble := bring_about(state, Path(path)):
        raise SystemExit(trouble)


def peak_bytes() -> int:
    """The most memory this program ever had; what its parent had before exec is not counted."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def table(sittings: Sequence[Sequence[Round]], n_bytes: int) -> str:
    """Markdown: medians; ratios to the plain read and to the core without the merge, paired by round."""
    rounds = [one for found in sittings for one in found]
    lines = [
        "| way | s | GB/s | peak GiB | phases, s | / plain read | / core |",
        "| --- | --: | --: | --: | --- | --- | --- |",
    ]
    for name in sorted(rounds[0], key=lambda name: (name != READ, name)):
        loads = [one[name] for one in rounds]
        seconds = statistics.median(one.total_ns for one in loads) / 1e9
        peak = max(one.peak_bytes for one in loads) / 2**30
        phases = ", ".join(
            f"{phase} {statistics.median(one.phase_ns[phase] for one in loads) / 1e9:.2f}"
            for phase in loads[0].phase_ns
            if statistics.median(one.phase_ns[phase] for one in loads) > 5e6
        )
        ratios = " | ".join(ratio(sittings, name, other) if other in rounds[0] else "" for other in (READ, BASE))
        lines.append(f"| {name} | {seconds:.2f} | {n_bytes / seconds / 1e9:.2f} | {peak:.2f} | {phases} | {ratios} |")
    return "\n".join(lines)


def ratio(sittings: Sequence[Sequence[Round]], name: str, other: str) -> str:
    """Of times, with its interval over sittings."""
    logs = [
        statistics.median(math.log(one[name].total_ns / one[other].total_ns) for one in rounds) for rounds in sittings
    ]
    found = mean_interval(logs)
    return f"{math.exp(found.mean):.3f} [{math.exp(found.low):.3f}, {math.exp(found.high):.3f}]"


if __name__ == "__main__":
    sys.exit(main())
