"""A live worker as its parent holds it: started with a case, asked for samples one at a time, idle in between."""

import sys
from collections.abc import Callable

from harness.records.case import Case
from harness.runner.events import Event, Experts, OpsTimed, Peaks, Phase, Sampled
from harness.runner.interrupt import Interrupt
from harness.runner.job import Job, LogitsTask
from harness.runner.measure import Measurement
from harness.runner.patience import Patience
from harness.runner.process import Worker
from harness.runner.serve import READY, ops_request, take_request
from harness.runner.supervise import End, Supervision

Hear = Callable[[Event], None]


class LiveWorker:
    """Every request ends in its answer or in the worker's end, which stays in `end`. `hear` gets all its events."""

    def __init__(
        self,
        case: Case,
        logits: LogitsTask | None,
        deadline_ns: int,
        patience: Patience,
        interrupt: Interrupt,
        hear: Hear,
        python: str = sys.executable,
    ) -> None:
        self._worker = Worker(Job("serve", case, logits), python)
        self._deadline_ns, self._patience, self._interrupt = deadline_ns, patience, interrupt
        self._hear = hear
        self.end: End | None = None

    def ready(self) -> bool:
        """Wait until it is loaded, and its logits are found good."""
        return self._until("start", lambda event: event == Phase(READY))

    def take(self, row: Measurement) -> bool:
        """One sample; whether it came."""
        return self._request(take_request(row), row.name, lambda event: isinstance(event, Sampled))

    def time_ops(self, row: Measurement) -> bool:
        """The operations of `row`, timed once; whether they came."""
        return self._request(ops_request(row), row.name, lambda event: isinstance(event, OpsTimed))

    def tell(self) -> bool:
        """What it knows besides samples, for the record of the case it measures now."""
        heard: set[type[Event]] = set()

        def complete(event: Event) -> bool:
            heard.add(type(event))
            return {Experts, Peaks} <= heard

        return self._request(b"tell", "tell", complete)

    def close(self) -> End:
        """End it, by force where it does not end by itself."""
        self._request(b"end", "close", lambda _event: False)
        if self.end is None:
            raise RuntimeError("a closed worker has no end")  # a request without an answer ends the worker
        return self.end

    def _request(self, line: bytes, phase: str, answered: Callable[[Event], bool]) -> bool:
        if self.end is None:
            self._worker.send(line)
        return self._until(phase, answered)

    def _until(self, phase: str, answered: Callable[[Event], bool]) -> bool:
        """Watch over the worker until an event answers; False once it has ended instead."""
        done = False

        def hear(event: Event) -> None:
            nonlocal done
            done = done or answered(event)
            self._hear(event)

        with self._interrupt.waking(self._worker.wake):
            supervision = Supervision(self._worker, self._deadline_ns, self._patience, self._interrupt)
            supervision.enter(phase)
            while self.end is None and not done:
                self.end = supervision.step(hear)
        return self.end is None
