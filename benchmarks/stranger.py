"""What a stranger on one core costs: every engine's tokens alone and beside a busy process, in turns.

All engines of a config's TG cases are alive, and one at a time generates. A round takes every one of them alone and
beside the stranger, in changing order, so that ratios are paired; intervals are 95 % over rounds.

    python benchmarks/stranger.py --only 'qwen3*threads=0*tg*'
"""

import math
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Self

from asked import cases, cases_parser

from harness.records.case import Case
from harness.runner.events import Event, Sampled
from harness.runner.interrupt import Interrupt
from harness.runner.live import LiveWorker
from harness.runner.measure import measurements
from harness.runner.patience import Patience
from harness.runner.prepare import with_file
from harness.runner.rounds import order
from harness.stats.interval import mean_interval

SETTLED_S = 0.2
"""For the scheduler to have placed the stranger, or to have found that it is gone."""


@dataclass
class Engine:
    """A live worker and the speeds it reached, alone and beside the stranger, in tokens per second."""

    case: Case
    speeds: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})

    def __enter__(self) -> Self:
        self._worker = LiveWorker(self.case, None, self.case.sampling.deadline_ns, Patience(), Interrupt(), self._hear)
        if not self._worker.ready():
            raise SystemExit(f"{self.name}: {self._worker.end}")
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.close()

    @property
    def name(self) -> str:
        return self.case.axes.engine + " -rtr" * self.case.axes.repack

    def take(self) -> float:
        """One sample, in tokens per second."""
        if not self._worker.take(measurements(self.case.test)[0]):
            raise SystemExit(f"{self.name}: {self._worker.end}")
        return self._speed

    def _hear(self, event: Event) -> None:
        if isinstance(event, Sampled):
            self._speed = event.sample.n_tokens / event.sample.total_ns * 1e9


def main() -> int:
    asked = cases_parser(__doc__, rounds=20).parse_args()
    found = cases(asked, lambda case: case.test.kind == "tg", "TG")
    with ExitStack() as ended:
        engines = [ended.enter_context(Engine(with_file(case))) for case in found]
        for turn in range(-1, asked.rounds):
            one_round(engines, turn)
    print(table(engines))
    return 0


def one_round(engines: Sequence[Engine], turn: int) -> None:
    """Every engine alone and beside the stranger, whichever comes first."""
    for busy in (False, True) if turn % 2 == 0 else (True, False):
        with stranger() if busy else ExitStack():
            time.sleep(SETTLED_S)
            for place in order(len(engines), turn):
                speed = engines[place].take()
                if turn >= 0:
                    engines[place].speeds[busy].append(speed)


@contextmanager
def stranger() -> Iterator[None]:
    """A process that never waits."""
    burning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        burning.kill()
        burning.wait()


def table(engines: Sequence[Engine]) -> str:
    lines = ["| engine | alone, t/s | beside a stranger | of it |", "| --- | --: | --: | --- |"]
    for engine in engines:
        alone, beside = (mean_interval(engine.speeds[busy]).mean for busy in (False, True))
        logs = [math.log(b / a) for a, b in zip(*engine.speeds.values(), strict=True)]
        found = mean_interval(logs)
        low, mean, high = (f"{math.exp(log):.0%}" for log in (found.low, found.mean, found.high))
        lines.append(f"| {engine.name} | {alone:.1f} | {beside:.1f} | {mean} [{low}, {high}] |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
