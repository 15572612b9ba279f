"""A contest: every variant of a comparison in a live worker of its own, all of them taking turns at every row.

Two live workers differ for as long as they live, so a contest has several sittings, each with fresh workers: what is
found in all of them is the variant's. A side that fails drops out; without its first side, the baseline, or
with fewer than `fewest` a contest is over.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.engines.stream import context_tokens
from harness.records.case import Case
from harness.records.record import Failure, Record
from harness.records.timing import Sample
from harness.runner.events import Event, Note, Phase
from harness.runner.live import LiveWorker
from harness.runner.measure import Measurement
from harness.runner.order import groups, variant
from harness.runner.proofs import Proofs
from harness.runner.rounds import Round, order, settled, share, why_stop
from harness.runner.side import Side, rows
from harness.runner.site import Site

MEMINFO = Path("/proc/meminfo")
SPARE_BYTES = 1 << 30
"""For KV caches, scratch and everybody else."""


@dataclass(frozen=True)
class Turn:
    """A row that all sides measure: the number of its test among a side's cases."""

    test: int
    row: Measurement


def contests(cases: Sequence[Case]) -> tuple[tuple[tuple[Case, ...], ...], ...]:
    """By contest, by side: the cases, one per test. Comparisons between the same variants are one contest."""
    found: dict[tuple[object, ...], list[tuple[Case, ...]]] = {}
    for group in groups(cases):
        if len(group) > 1:
            found.setdefault(tuple(map(variant, group)), []).append(group)
    return tuple(tuple(zip(*tests, strict=True)) for tests in found.values())


def turns(cases: Sequence[Case]) -> tuple[Turn, ...]:
    """The rows of a side in the order they are taken: the KV cache only grows, so that it is filled once."""
    found = [Turn(test, row) for test, case in enumerate(cases) for row in rows(case)]
    return tuple(sorted(found, key=lambda turn: turn.row.n_depth))


@dataclass
class Contest:
    """Measures the cases of its sides.

    `started` hears whose worker is started and its number from 1; `done` is given each record as soon as it is final.
    """

    site: Site
    sides: tuple[Side, ...]
    proofs: Proofs
    started: Callable[[Case, int], None]
    done: Callable[[Record], None]
    fewest: int = 2
    _obstacle: Failure | None = None
    _handed: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Errors: RunError if a record cannot be written."""
        try:
            self._obstacle = lacks_memory(self.sides)
            sittings = max(case.sampling.processes for case in self.sides[0].cases)
            for sitting in range(sittings if self._obstacle is None else 0):
                self._load(sitting)
                self._measure(sitting, last=sitting == sittings - 1)
                if not self._goes_on():
                    break
                self._close()
        finally:
            self._close()
        for side in self.sides:
            self._hand_over_rest(side)

    def _close(self) -> None:
        for side in self.sides:
            side.close()

    def _load(self, sitting: int) -> None:
        """Start the workers one after another: at first the baseline, whose logits the others' are compared with.

        Who starts first may get the better memory, so every second sitting starts with the last. A side that failed
        in an earlier sitting stays out.
        """
        well = [side for side in self.sides if side.well]
        for side in well if sitting % 2 == 0 else well[::-1]:
            if not self.site.interrupt.wanted and self.sides[0].well:
                self._start(side, sitting)

    def _start(self, side: Side, sitting: int) -> None:
        """With the context that its longest test needs, and time for all of them."""
        case = max(side.cases, key=lambda case: context_tokens(case.test))
        deadline_ns = sum(case.sampling.deadline_ns for case in side.cases) * len(self.sides)
        case = replace(case, sampling=replace(case.sampling, deadline_ns=deadline_ns))
        side.equivalence = self.proofs.known(case.case_id) or side.equivalence
        self.started(case, self.sides.index(side) + 1)

        def hear(event: Event) -> None:
            side.hear(event)
            if isinstance(event, Phase):
                self.site.progress.phase(case, event.name)
            elif isinstance(event, Note):
                self.site.note(event.text)

        task = self.proofs.task(case.case_id)
        lived = replace(case, case_id=f"{case.case_id}.{sitting}")  # a name of its own: a fake draws its noise by it
        watched = (deadline_ns, self.site.patience, self.site.interrupt, hear)
        side.worker = LiveWorker(lived, task, *watched, python=side.python)
        side.worker.ready()
        self.proofs.learn(case.case_id, side.equivalence)

    def _measure(self, sitting: int, *, last: bool) -> None:
        """Every row by all sides that are left; in the last sitting also the records of the cases it completes."""
        left = list(turns(self.sides[0].cases))
        left_ns = sum(case.sampling.time_budget_ns // case.sampling.processes for s in self.sides for case in s.cases)
        while left and self._goes_on():
            turn = left[0]
            left_ns = max(0, left_ns - self._take_turns(turn, sitting, left_ns // len(left)))
            del left[0]
            for side in self.sides if last else ():
                if side.complete(case := side.cases[turn.test]):
                    self._hand_over(side.record(case, interrupted=False))

    def _take_turns(self, turn: Turn, sitting: int, budget_ns: int) -> int:
        """Rounds of one row until they say enough, or too few sides are left. Nanoseconds of the budget used.

        The budget's clock starts after the first round, in which caches are filled, however long that takes.
        """
        sides = [side for side in self.sides if side.alive]
        taken: list[Round] = []
        reason, begin_ns, before_ns = "", 0, 0
        while not reason and self._goes_on():
            found = self._round(sides, turn, sitting, len(taken))
            if found is None:  # a side has ended: the round is void, and the others go on without it
                kept = [place for place, side in enumerate(sides) if side.alive]
                sides, taken = [sides[place] for place in kept], [tuple(old[place] for place in kept) for old in taken]
                continue
            taken = settled([*taken, found])
            now_ns = time.monotonic_ns()
            begin_ns, before_ns = begin_ns or now_ns, before_ns or now_ns
            sampling = share(sides[0].cases[turn.test].sampling)
            reason = why_stop(taken, sampling, now_ns - begin_ns, now_ns - before_ns, budget_ns)
            before_ns = now_ns
        if reason:
            for side, samples in zip(sides, zip(*taken, strict=True), strict=True):
                side.add(side.cases[turn.test], turn.row, samples, reason)
        return before_ns - begin_ns

    def _round(self, sides: Sequence[Side], turn: Turn, sitting: int, index: int) -> Round | None:
        """One sample of every side, the order changing from round to round; None if a side has ended."""
        found: dict[int, Sample] = {}
        for place in order(len(sides), sitting + index):
            case = sides[place].cases[turn.test]
            sample = sides[place].take(case, turn.row)
            if sample is None:
                return None
            found[place] = replace(sample, process=sitting)
            self.site.progress.sample(case, turn.row.name, index + 1, sample)
        return tuple(found[place] for place in range(len(sides)))

    def _goes_on(self) -> bool:
        together = self.sides[0].alive and sum(side.alive for side in self.sides) >= self.fewest
        return together and not self.site.interrupt.wanted

    def _hand_over(self, record: Record) -> None:
        """A side's logits were compared once, in its longest test; each record names the baseline of its own."""
        if record.equivalence.against:
            baseline = next(case for case in self.sides[0].cases if case.test == record.case.test)
            record = replace(record, equivalence=replace(record.equivalence, against=baseline.case_id))
        self._handed.add(record.case.case_id)
        self.done(record)

    def _hand_over_rest(self, side: Side) -> None:
        """The records of the cases that a side did not complete."""
        for case in side.cases:
            if case.case_id in self._handed:
                continue
            record = side.record(case, interrupted=self.site.interrupt.wanted)
            if record.status == "interrupted" and not self.site.interrupt.wanted:
                record = replace(record, status="skipped", error=self._obstacle or self._without_opponent(side))
            self._hand_over(record)

    def _without_opponent(self, side: Side) -> Failure:
        """Why a side that is well was not measured."""
        others = [other for other in self.sides if other is not side and other.trouble]
        named = "; ".join(f"{other.cases[0].axes.engine}: {other.trouble}" for other in others)
        return Failure("NoOpponent", f"there was nothing left to compare it with ({named}).")


def lacks_memory(sides: Sequence[Side], meminfo: Path = MEMINFO) -> Failure | None:
    """Whether the host has no room for all sides at once, in words."""
    files = [Path(side.cases[0].model.path) for side in sides if side.cases[0].model.path]
    on_host = not sides[0].cases[0].axes.device.startswith("cuda:")
    needed = sum(path.stat().st_size for path in files if path.exists()) + SPARE_BYTES
    for line in meminfo.read_text().splitlines() if files and on_host and meminfo.exists() else ():
        available = int(line.split()[1]) * 1024
        if line.startswith("MemAvailable:") and needed > available:
            text = f"{len(sides)} live workers need {needed >> 20} MiB, and {available >> 20} MiB are available"
            return Failure("RunError", f"{text}. Compare fewer values at a time, or on a smaller model.", "load")
    return None
