"""The cases of an open run folder, one after another. When `case_done` is told of a record, that record is on disk."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.errors import ResultError, RunError
from harness.records.case import Case
from harness.records.record import Equivalence, Failure, Record, RunInfo, Status
from harness.runner.eta import Eta
from harness.runner.events import Event, Note, Phase, Sampled
from harness.runner.gather import Gathered, record_of, unmeasured, with_run
from harness.runner.identity import resume_key
from harness.runner.interrupt import Interrupt
from harness.runner.job import Job
from harness.runner.measure import Measurement
from harness.runner.models import ModelFiles
from harness.runner.order import interleaved
from harness.runner.patience import Patience
from harness.runner.progress import Progress
from harness.runner.proofs import Proofs
from harness.runner.supervise import supervise
from harness.store.files import Disk
from harness.store.runs import read_record, record_path, write_record


@dataclass(frozen=True)
class Site:
    """Where a run happens and who is told."""

    run_dir: Path
    info: RunInfo
    disk: Disk
    patience: Patience
    interrupt: Interrupt
    progress: Progress


@dataclass
class CaseSequence:
    """Measures what is missing. `given_up` are devices whose worker could not even be killed."""

    site: Site
    files: ModelFiles
    eta: Eta = field(default_factory=Eta)
    given_up: set[str] = field(default_factory=set)
    noted: set[str] = field(default_factory=set)

    def measure(self, cases: Sequence[Case]) -> tuple[Record, ...]:
        """The records of `cases`, as far as the run came. Errors: RunError if one cannot be written."""
        done = self._kept(cases)
        proofs = Proofs(cases, self.site.run_dir, done.values())
        self.site.progress.run_started(self.site.run_dir, len(cases), len(done))
        left = [case for case in interleaved(cases) if case.case_id not in done]
        while left and not self.site.interrupt.wanted:
            case = left[0]
            eta_ns = self.eta.left_ns(left)
            self.site.progress.case_started(case, len(done) + 1, len(cases), eta_ns)
            record = self._measure(case, proofs)
            write_record(self.site.run_dir, record, self.site.disk)
            self.site.progress.case_done(record)
            done[case.case_id] = record
            del left[0]
        if not left and not self.site.interrupt.wanted:
            proofs.remove_logits()
        return tuple(done[case.case_id] for case in cases if case.case_id in done)

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
        known = proofs.known(case.case_id) or Equivalence()
        if case.axes.device in self.given_up:
            why = f"{case.axes.device} was given up: a worker on it could not be ended."
            return self._finished(unmeasured(case, "skipped", Failure("DeviceGivenUp", why)), "")
        if known.verdict == "INVALID":
            return self._finished(replace(unmeasured(case, "invalid", None), equivalence=known), "")
        try:
            case = self.files.with_file(case)
        except RunError as error:
            status: Status = "interrupted" if self.site.interrupt.wanted else "failed"
            return self._finished(unmeasured(case, status, Failure("RunError", str(error), "prepare")), "")
        key, begin_ns = resume_key(case), time.monotonic_ns()
        record = self._in_worker(case, proofs, known)
        self.eta.learn(case, time.monotonic_ns() - begin_ns)
        proofs.learn(case.case_id, record.equivalence)
        return self._finished(record, key)

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
            case Note(text=text) if text not in self.noted:
                self.noted.add(text)
                self.site.progress.note(text)

    def _finished(self, record: Record, key: str) -> Record:
        return with_run(record, self.site.info, key)
