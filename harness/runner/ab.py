"""`harness ab`: the comparisons of a config, each between live workers that take turns. Records land in a run folder.

Only what has an opponent is measured. A run of this kind is not resumed: half a comparison is none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.config.types import Expansion
from harness.errors import EXPECTED
from harness.records.case import Case
from harness.records.record import Failure, Record, Status
from harness.runner.contest import Contest, contests
from harness.runner.gather import unmeasured, with_run
from harness.runner.identity import resume_key
from harness.runner.models import ModelFiles
from harness.runner.patience import Patience
from harness.runner.progress import Progress
from harness.runner.proofs import Proofs
from harness.runner.run import RunOutcome, opened
from harness.runner.side import Side
from harness.runner.site import Site
from harness.store.runs import write_record


def execute_ab(
    expansion: Expansion,
    results: Path,
    command: tuple[str, ...],
    progress: Progress,
    *,
    patience: Patience | None = None,
) -> RunOutcome:
    """Measure every comparison among the cases of `expansion` in a new folder below `results`. Errors: as `execute`."""
    with opened(expansion, results, None, command, progress, patience=patience) as site:
        duels = Comparisons(site)
        duels.measure(contests(expansion.cases), expansion.cases)
    return RunOutcome(site.run_dir, duels.in_order_of(expansion.cases), site.interrupt.wanted)


@dataclass
class Comparisons:
    """Contest after contest; what is measured is on disk at once. `make_side` and `fewest` are the contests'."""

    site: Site
    make_side: Callable[[tuple[Case, ...]], Side] = Side
    fewest: int = 2
    records: list[Record] = field(default_factory=list)
    noted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.files = ModelFiles(self.site.patience, self.site.interrupt, self.site.progress)

    def measure(self, found: Sequence[tuple[tuple[Case, ...], ...]], cases: Sequence[Case]) -> None:
        """The contests `found` among `cases`, by contest and side. Errors: RunError if a record cannot be written."""
        proofs = Proofs(cases, self.site.run_dir)
        self.site.progress.run_started(self.site.run_dir, sum(map(len, map(_cases, found))), 0)
        for sides in found:
            if self.site.interrupt.wanted:
                return
            if (prepared := self._with_files(sides)) is not None:
                self._contest(tuple(map(self.make_side, prepared)), proofs)
        proofs.remove_logits()

    def in_order_of(self, cases: Sequence[Case]) -> tuple[Record, ...]:
        """The records, in the order of `cases`."""
        order = [case.case_id for case in cases]
        return tuple(sorted(self.records, key=lambda record: order.index(record.case.case_id)))

    def _contest(self, sides: tuple[Side, ...], proofs: Proofs) -> None:
        def started(case: Case, place: int) -> None:
            self.site.progress.case_started(case, place, len(sides), None)

        Contest(self.site, sides, proofs, started, self._keep, self._note, self.fewest).run()

    def _with_files(self, sides: Sequence[tuple[Case, ...]]) -> list[tuple[Case, ...]] | None:
        """The sides with their model's file; None, and every case failed, if there is none to be had."""
        try:
            return [tuple(map(self.files.with_file, side)) for side in sides]
        except EXPECTED as error:
            status: Status = "interrupted" if self.site.interrupt.wanted else "failed"
            for case in _cases(sides):
                self._keep(unmeasured(case, status, Failure(type(error).__name__, str(error), "prepare")))
            return None

    def _keep(self, record: Record) -> None:
        """Errors: RunError."""
        finished = with_run(record, self.site.info, resume_key(record.case))
        write_record(self.site.run_dir, finished, self.site.disk)
        self.site.progress.case_done(finished)
        self.records.append(finished)

    def _note(self, text: str) -> None:
        """What every worker says is said once."""
        if text not in self.noted:
            self.noted.add(text)
            self.site.progress.note(text)


def _cases(sides: Sequence[tuple[Case, ...]]) -> list[Case]:
    return [case for side in sides for case in side]
