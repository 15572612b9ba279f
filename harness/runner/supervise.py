"""One worker from start to end: events handed on, deadlines kept, the end forced where it does not come by itself."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harness.runner.events import Event, Heartbeat, Phase
from harness.runner.interrupt import Interrupt
from harness.runner.job import Job
from harness.runner.patience import Patience, Watch
from harness.runner.process import Ended, Garbled, Worker

Cause = Literal["exit", "over", "killed", "unkillable"]


@dataclass(frozen=True)
class End:
    """How a worker ended. exit: by itself, `code` says how. over: a deadline, `why`. killed: the second Ctrl-C."""

    cause: Cause
    code: int | None
    phase: str
    why: str
    tail: str


def supervise(
    job: Job, deadline_ns: int, patience: Patience, interrupt: Interrupt, on_event: Callable[[Event], None]
) -> End:
    """Run `job` in a worker and pass on its events, each before the worker goes on.

    The first Ctrl-C asks the worker to end after its sample, the second kills it.
    """
    worker = Worker(job)
    with interrupt.waking(worker.wake):
        supervision = Supervision(worker, deadline_ns, patience, interrupt)
        while (end := supervision.step(on_event)) is None:
            pass
    return end


class Supervision:
    """The clocks of a worker from now on, and what is done when one runs out."""

    def __init__(self, worker: Worker, deadline_ns: int, patience: Patience, interrupt: Interrupt) -> None:
        self._worker, self._interrupt = worker, interrupt
        self._watch = Watch(patience, deadline_ns, time.monotonic_ns())
        self._asked = False
        self._why = ""
        self._steps = (
            (0, signal.SIGINT),
            (patience.grace_ns, signal.SIGTERM),
            (2 * patience.grace_ns, signal.SIGKILL),
        )
        self._given_up_ns = 2 * patience.grace_ns + patience.reap_ns
        self._forced_ns: int | None = None
        self._step = 0

    def enter(self, phase: str) -> None:
        """The worker is asked for something that has a clock of its own."""
        self._watch.enter(phase, time.monotonic_ns())

    def step(self, on_event: Callable[[Event], None]) -> End | None:
        """Wait for one message and do what is due; how the worker ended, once it has."""
        message = self._worker.get(self._wait_s())
        if isinstance(message, Ended):
            return self._end("killed" if self._interrupt.kill else "over" if self._why else "exit", message.code)
        if isinstance(message, Garbled):
            self._force(f"it sent what is no event: {message.why}")
        elif message is not None:
            self._take(message, on_event)
        return self._end("unkillable", None) if self._act() else None

    def _take(self, event: Event, on_event: Callable[[Event], None]) -> None:
        now = time.monotonic_ns()
        self._watch.note(event, now)
        if isinstance(event, Heartbeat):
            return
        if isinstance(event, Phase):
            self._watch.enter(event.name, now)
        on_event(event)
        self._worker.go_on()

    def _act(self) -> bool:
        """Do what is due; True once even SIGKILL has had its time."""
        now = time.monotonic_ns()
        if self._interrupt.kill:
            self._force("killed by a second Ctrl-C", at_step=len(self._steps) - 1)
        elif self._interrupt.wanted and not self._asked:
            self._asked = True
            self._worker.signal(signal.SIGINT)
        if why := self._watch.over(now):
            self._force(why)
        if self._forced_ns is None:
            return False
        while self._step < len(self._steps) and now - self._forced_ns >= self._steps[self._step][0]:
            self._worker.signal(self._steps[self._step][1])
            self._step += 1
        return now - self._forced_ns >= self._given_up_ns

    def _force(self, why: str, at_step: int = 0) -> None:
        """Begin to end the worker, or hasten it to `at_step`."""
        now = time.monotonic_ns()
        if self._forced_ns is None:
            self._forced_ns, self._why = now, why
        if self._step < at_step:
            self._step, self._forced_ns = at_step, now - self._steps[at_step][0]

    def _wait_s(self) -> float:
        now = time.monotonic_ns()
        if self._forced_ns is None:
            return self._watch.left_ns(now) / 1e9
        due = self._steps[self._step][0] if self._step < len(self._steps) else self._given_up_ns
        return (self._forced_ns + due - now) / 1e9

    def _end(self, cause: Cause, code: int | None) -> End:
        return End(cause, code, self._watch.phase, self._why, self._worker.tail())
