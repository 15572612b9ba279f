"""Runs a program's scripts side by side, one thread per device, values passing through the host's memory."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import LogitsOf, Segments
from harness.core.compose.batch import Batch
from harness.core.compose.counts import counts_of_all_sizes
from harness.core.compose.crossings import cross
from harness.core.compose.exchange import Exchange, Stopped
from harness.core.program.op import Program, Sizes
from harness.core.program.segments import Crossing, Script, Step

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Player:
    """One device at work: its script, what runs it, the thread that may call that, and what that took so far."""

    script: Script
    segments: Segments
    thread: ThreadPoolExecutor
    ns_by_sizes: Counter[Sizes] = field(default_factory=Counter)


class ComposedContext:
    """See `harness.core.backend.Context`."""

    def __init__(self, program: Program, players: Sequence[Player]) -> None:
        self._players = tuple(players)
        self._logits = program.ops[-1].outputs[0]

    def run(self, tokens: NDArray[np.int32], position: int, logits_of: LogitsOf) -> F32 | None:
        """One ubatch on all devices. The first device's error is raised once every device has stopped."""
        batch = Batch.of(tokens, position, logits_of)
        exchange = Exchange(self._uses(batch))
        running = [player.thread.submit(_play, player, batch, exchange) for player in self._players]
        wait(running)
        errors = [error for future in running if (error := future.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
            raise error
        return exchange.take(self._logits) if batch.n_wanted else None

    def expert_counts(self) -> NDArray[np.int64]:
        return counts_of_all_sizes(
            [(player.script.program, player.segments.expert_counts()) for player in self._players]
        )

    def ns_by_sizes(self) -> Mapping[Sizes, int]:
        """See `harness.core.backend.TimesSizes`."""
        spent: Counter[Sizes] = Counter()
        for player in self._players:
            spent.update(player.ns_by_sizes)
        return spent

    def close(self) -> None:
        for player in self._players:
            player.thread.submit(player.segments.close).result()

    def _uses(self, batch: Batch) -> Mapping[str, int]:
        """How often each value is taken."""
        steps = (step for player in self._players for step in player.script.steps if batch.n_tokens(step))
        return Counter([self._logits, *(name for step in steps for name in _inputs(step))])


def _inputs(step: Step) -> tuple[str, ...]:
    return step.op.inputs if isinstance(step, Crossing) else step.inputs


def _play(player: Player, batch: Batch, exchange: Exchange) -> None:
    """What one device's thread does for one ubatch."""
    try:
        for step in player.script.steps:
            n = batch.n_tokens(step)
            if not n:
                continue
            given = {name: exchange.take(name)[-n:] for name in _inputs(step)}
            if isinstance(step, Crossing):
                exchange.put(step.op.outputs[0], cross(step.op, [given[name] for name in step.op.inputs]))
                continue
            begun_ns = time.perf_counter_ns()
            made = player.segments.run_segment(step.index, *batch.last(n), given)
            player.ns_by_sizes[step.sizes] += time.perf_counter_ns() - begun_ns
            for name, value in made.items():
                exchange.put(name, value)
    except BaseException:
        exchange.stop()
        raise
