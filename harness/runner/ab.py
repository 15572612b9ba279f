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
from harness.runner.gather import unmeasured
from harness.runner.identity import resume_key
from harness.runner.models import ModelFiles
from harness.runner.patience import Patience
from harness.runner.progress import Progress
from harness.runner.proofs import Proofs
from harness.runner.run import RunOutcome, opened
from harness.runner.side import Side
from harness.runner.site import Site

MakeSide = Callable[[Site, tuple[Case, ...]], Side]


def _side(_site: Site, cases: tuple[Case, ...]) -> Side:
    return Side(cases)


def execute_ab(
    expansion: Expansion,
    results: Path,
    command: tuple[str, ...],
    progress: Progress,
    *,
    patience: Patience | None = None,
) -> RunOutcome:
    """Measure every comparison among the cases of `expansion` in a new folder below `results`. Errors: as `execute`."""
    return execute_contests(expansion, contests(expansion.cases), results, command, progress, patience=patience)


def execute_contests(
    expansion: Expansion,
    found: Sequence[tuple[tuple[Case, ...], ...]],
    results: Path,
    command: tuple[str, ...],
    progress: Progress,
    *,
    make_side: MakeSide = _side,
    fewest: int = 2,
    patience: Patience | None = None,
) -> RunOutcome:
    """Measure the contests `found` among the cases of `expansion`, by contest and side, in a new folder.

    A contest goes on while it has `fewest` sides. Errors: as `execute`.
    """
    with opened(expansion, results, None, command, progress, patience=patience) as site:
        contesting = _Contests(site, make_side, fewest)
        contesting.measure(found, expansion.cases)
    order = [case.case_id for case in expansion.cases]
    records = sorted(contesting.records, key=lambda record: order.index(record.case.case_id))
    return RunOutcome(site.run_dir, tuple(records), site.interrupt.wanted)


@dataclass
class _Contests:
    """Contest after contest; what is measured is on disk at once."""

    site: Site
    make_side: MakeSide
    fewest: int
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files = ModelFiles(self.site.patience, self.site.interrupt, self.site.progress)

    def measure(self, found: Sequence[tuple[tuple[Case, ...], ...]], cases: Sequence[Case]) -> None:
        """Errors: RunError if a record cannot be written."""
        proofs = Proofs(cases, self.site.run_dir)
        self.site.progress.run_started(self.site.run_dir, sum(map(len, map(_cases, found))), 0)
        for sides in found:
            if self.site.interrupt.wanted:
                return
            if (prepared := self._with_files(sides)) is not None:
                self._contest(tuple(self.make_side(self.site, cases) for cases in prepared), proofs)
        proofs.remove_logits()

    def _contest(self, sides: tuple[Side, ...], proofs: Proofs) -> None:
        def started(case: Case, place: int) -> None:
            self.site.progress.case_started(case, place, len(sides), None)

        Contest(self.site, sides, proofs, started, self._keep, self.fewest).run()

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
        self.records.append(self.site.keep(record, resume_key(record.case)))


def _cases(sides: Sequence[tuple[Case, ...]]) -> list[Case]:
    return [case for side in sides for case in side]
