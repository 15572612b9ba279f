"""The cases of an open run folder. When `case_done` is told of a record, that record is on disk.

Cases of one comparison take turns in live workers, as far as that goes; a case that has no opponent, or lost it, is
measured alone. So a case that dies costs itself.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.errors import ResultError, RunError
from harness.records.case import Case
from harness.records.record import Equivalence, Failure, Record, Status
from harness.runner.contest import Contest, contests
from harness.runner.eta import Eta
from harness.runner.events import Event, Note, Phase, Sampled
from harness.runner.gather import Gathered, record_of, unmeasured
from harness.runner.identity import resume_key
from harness.runner.job import Job
from harness.runner.measure import Measurement
from harness.runner.models import ModelFiles
from harness.runner.order import groups
from harness.runner.proofs import Proofs
from harness.runner.side import Side
from harness.runner.site import Site
from harness.runner.supervise import supervise
from harness.store.runs import read_record, record_path


@dataclass
class CaseSequence:
    """Measures what is missing. `given_up` are devices whose worker could not even be killed."""

    site: Site
    files: ModelFiles
    eta: Eta = field(default_factory=Eta)
    given_up: set[str] = field(default_factory=set)

    def measure(self, cases: Sequence[Case]) -> tuple[Record, ...]:
        """The records of `cases`, as far as the run came. Errors: RunError if one cannot be written."""
        done = self._kept(cases)
        proofs = Proofs(cases, self.site.run_dir, done.values())
        self.site.progress.run_started(self.site.run_dir, len(cases), len(done))
        for sides in contests([case for case in cases if case.case_id not in done]):
            if not self.site.interrupt.wanted:
                self._in_turns(sides, proofs, cases, done)
        for case in [case for group in groups(cases) for case in group]:
            if case.case_id not in done and not self.site.interrupt.wanted:
                self._tell_started(case, 1, cases, done)
                done[case.case_id] = self._measure(case, proofs)
        if not self.site.interrupt.wanted:
            proofs.remove_logits()
        return tuple(done[case.case_id] for case in cases if case.case_id in done)

    def _tell_started(self, case: Case, place: int, cases: Sequence[Case], done: Mapping[str, Record]) -> None:
        """`place`: from 1, among the cases that are measured together."""
        left_ns = self.eta.left_ns(left for left in cases if left.case_id not in done)
        self.site.progress.case_started(case, len(done) + place, len(cases), left_ns)

    def _in_turns(
        self, variants: Sequence[tuple[Case, ...]], proofs: Proofs, cases: Sequence[Case], done: dict[str, Record]
    ) -> None:
        """Measure what can take turns; what comes to nothing for that is left to be measured alone."""
        sides = tuple(Side(able) for side in variants if (able := self._able(side, proofs)))
        if len(sides) < 2 or sides[0].cases[0].case_id != proofs.baseline(sides[0].cases[0].case_id):
            return

        def started(case: Case, place: int) -> None:
            self._tell_started(case, place, cases, done)

        def finished(record: Record) -> None:
            if not _for_want_of_company(record):
                done[record.case.case_id] = self.site.keep(record, resume_key(record.case))

        begin_ns = time.monotonic_ns()
        Contest(self.site, sides, proofs, started, finished).run()
        measured = [case for side in sides for case in side.cases]
        for case in measured:
            self.eta.learn(case, (time.monotonic_ns() - begin_ns) // len(measured))
        self.given_up |= {side.cases[0].axes.device for side in sides if side.unkillable}

    def _able(self, side: Sequence[Case], proofs: Proofs) -> tuple[Case, ...]:
        """A side's cases with their file; none if no worker can be started for it."""
        known = proofs.known(side[0].case_id)
        if side[0].axes.device in self.given_up or (known is not None and known.verdict == "INVALID"):
            return ()
        try:
            return tuple(map(self.files.with_file, side))
        except RunError:  # said when the cases are measured alone
            return ()

    def _kept(self, cases: Sequence[Case]) -> dict[str, Record]:
        """The records of earlier goes that still stand."""
        kept = {}
        for case in cases:
            path = record_path(self.site.run_dir, case.case_id)
            if not path.exists():
                continue
            try:
                record = read_record(path)
                stands = record.status != "interrupted" and record.resume_key == resume_key(self.files.with_file(case))
            except (ResultError, RunError) as error:
                self.site.progress.note(f"{error} It is measured anew.")
                continue
            if stands:
                kept[case.case_id] = record
            elif record.status != "interrupted":
                self.site.progress.note(f"{case.case_id}: engine, model file or settings changed; it is measured anew.")
        return kept

    def _measure(self, case: Case, proofs: Proofs) -> Record:
        """Alone. Errors: RunError if its record cannot be written."""
        known = proofs.known(case.case_id) or Equivalence()
        if case.axes.device in self.given_up:
            why = f"{case.axes.device} was given up: a worker on it could not be ended."
            return self.site.keep(unmeasured(case, "skipped", Failure("DeviceGivenUp", why)), "")
        if known.verdict == "INVALID":
            return self.site.keep(replace(unmeasured(case, "invalid", None), equivalence=known), "")
        try:
            case = self.files.with_file(case)
        except RunError as error:
            status: Status = "interrupted" if self.site.interrupt.wanted else "failed"
            return self.site.keep(unmeasured(case, status, Failure("RunError", str(error), "prepare")), "")
        key, begin_ns = resume_key(case), time.monotonic_ns()
        record = self._in_worker(case, proofs, known)
        self.eta.learn(case, time.monotonic_ns() - begin_ns)
        proofs.learn(case.case_id, record.equivalence)
        return self.site.keep(record, key)

    def _in_worker(self, case: Case, proofs: Proofs, known: Equivalence) -> Record:
        gathered = Gathered(equivalence=known)

        def hear(event: Event) -> None:
            gathered.take(event)
            self._tell(case, event, len(gathered.open_samples))

        job = Job("case", case, proofs.task(case.case_id))
        end = supervise(job, case.sampling.deadline_ns, self.site.patience, self.site.interrupt, hear)
        if end.cause == "unkillable":
            self.given_up.add(case.axes.device)
        return record_of(case, gathered, end, interrupted=self.site.interrupt.wanted)

    def _tell(self, case: Case, event: Event, n_taken: int) -> None:
        match event:
            case Phase(name=name):
                self.site.progress.phase(case, name)
            case Sampled(n_prompt=n_prompt, n_gen=n_gen, n_depth=n_depth, sample=sample):
                self.site.progress.sample(case, Measurement(n_prompt, n_gen, n_depth).name, n_taken, sample)
            case Note(text=text):
                self.site.note(text)


def _for_want_of_company(record: Record) -> bool:
    """Whether a case may do better alone: its opponents failed, or there was no room for all of them at once."""
    at_load = record.error is not None and record.error.phase == "load"
    return record.status in ("skipped", "oom") or (record.status == "failed" and at_load)
