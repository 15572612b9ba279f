"""One side of a contest: the cases of one variant, the live workers that measure them, and what they said of each."""

import sys
from collections import Counter
from dataclasses import astuple, dataclass, field

from harness.records.case import Case
from harness.records.record import Equivalence, Record
from harness.records.timing import LoadReport, Row, Sample
from harness.runner.events import Compared, Done, Event, Failed, Loaded, Priced, RowDone, Sampled
from harness.runner.gather import Gathered, record_of
from harness.runner.live import LiveWorker
from harness.runner.measure import Measurement, measurements
from harness.runner.supervise import End

LOAD = Measurement(0, 0, 0)
WELL = End("exit", 0, "close", "", "")


def rows(case: Case) -> tuple[Measurement, ...]:
    """What a live worker is asked for: the measurements of the test; loading is one without tokens."""
    return measurements(case.test) or (LOAD,)


@dataclass
class Side:
    """`cases` are one per test, in the order of the contest's tests. The contest starts a worker per sitting.

    `python` has the harness that measures them.
    """

    cases: tuple[Case, ...]
    python: str = sys.executable
    worker: LiveWorker | None = None
    equivalence: Equivalence = field(default_factory=Equivalence)
    _loads: list[LoadReport] = field(default_factory=list)
    _last_words: Done | Failed | None = None
    _sample: Sample | None = None
    _gathered: dict[str, Gathered] = field(default_factory=dict)
    _prices: dict[Measurement, tuple[int, int]] = field(default_factory=dict)
    _sittings: Counter[tuple[str, Measurement]] = field(default_factory=Counter)
    _open: str = ""

    @property
    def alive(self) -> bool:
        """Whether it can be asked for samples."""
        return self.worker is not None and self.worker.end is None

    @property
    def well(self) -> bool:
        """Whether it may be started, or started again."""
        return self.worker is None or self.alive or self._last_words == Done("ok")

    @property
    def unkillable(self) -> bool:
        """Whether even SIGKILL did not end its worker."""
        return self.worker is not None and self.worker.end is not None and self.worker.end.cause == "unkillable"

    @property
    def trouble(self) -> str:
        """Why it has no result for a case that it did not complete; empty if it was well until it was closed."""
        record = self.record(self.cases[-1], interrupted=False)
        if record.status == "invalid":
            return f"its results are wrong ({record.equivalence.note})"
        return record.error.message if record.error else ""

    def hear(self, event: Event) -> None:
        """Take in whatever its worker says."""
        match event:
            case Loaded(report=report):
                self._loads.append(report)
            case Compared(equivalence=equivalence):
                self.equivalence = equivalence
            case Priced():
                row = Measurement(event.n_prompt, event.n_gen, event.n_depth)
                self._prices[row] = event.macs_per_token, event.bytes_per_token
            case Done() | Failed():
                self._last_words = event
            case _:
                if isinstance(event, Sampled):
                    self._sample = event.sample
                self._of(self._open).take(event)

    def take(self, case: Case, row: Measurement) -> Sample | None:
        """One sample of `row`; None once the worker has ended instead."""
        self._open, self._sample = case.case_id, None
        if self.worker is not None and self.worker.take(row):
            return self._sample
        return None

    def add(self, case: Case, row: Measurement, samples: tuple[Sample, ...], stopped_by: str) -> None:
        """One sitting has taken these samples of a row; of all its reasons to stop, precision is told last."""
        gathered = self._of(case.case_id)
        before = [old for old in gathered.rows if (old.n_prompt, old.n_gen, old.n_depth) == astuple(row)]
        for old in before:
            gathered.rows.remove(old)
            samples = (*old.samples, *samples)
            stopped_by = stopped_by if old.stopped_by == "precision" else old.stopped_by
        macs, n_bytes = self._prices.get(row, (None, None))
        gathered.take(RowDone(Row(row.n_prompt, row.n_gen, row.n_depth, samples, stopped_by, macs, n_bytes)))
        self._sittings[case.case_id, row] += 1

    def complete(self, case: Case) -> bool:
        """Whether every row of `case` had all its sittings."""
        return all(self._sittings[case.case_id, row] == case.sampling.processes for row in rows(case))

    def record(self, case: Case, *, interrupted: bool) -> Record:
        """What is known of a case: ok if it is complete, interrupted if its worker was well and it is not."""
        gathered, end = self._of(case.case_id), WELL
        if self.complete(case):
            self._open = case.case_id
            if self.worker is not None and self.alive:
                self.worker.tell()
            gathered.last = Done("ok")
        elif self.worker is None or self._last_words == Done("ok"):
            gathered.last = Done("interrupted")
        elif self._open not in ("", case.case_id):
            gathered.last = Done("skipped")
        else:
            end, gathered.last = self.worker.end or WELL, self._last_words
        gathered.loads, gathered.equivalence = self._loads, self.equivalence
        return record_of(case, gathered, end, interrupted=interrupted)

    def close(self) -> None:
        """End the worker, whatever state it is in."""
        if self.worker is not None:
            self.worker.close()

    def _of(self, case_id: str) -> Gathered:
        return self._gathered.setdefault(case_id, Gathered())
