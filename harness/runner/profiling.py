"""`harness profile`: where the time of a case's rows goes, for all cells of merge, fuse and path in turns.

Every round of a row is one plain sample of each cell, then its operations one by one; samples make the case's record,
operations the profile beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from harness.config.types import Expansion
from harness.records.axes import Axes
from harness.records.case import Case, Test
from harness.records.profile import CaseProfile, OpTime, RowProfile
from harness.records.timing import Sample
from harness.runner.ab import execute_contests
from harness.runner.events import Event, OpsTimed
from harness.runner.measure import Measurement
from harness.runner.patience import Patience
from harness.runner.progress import Progress
from harness.runner.run import RunOutcome
from harness.runner.side import Side
from harness.runner.site import Site
from harness.store.files import Disk
from harness.store.runs import write_profile

TimedRound = tuple[Sample, tuple[OpTime, ...]]
"""A plain sample of a row and, right after it, its operations."""

FEWEST_CALM = 3
"""With fewer undisturbed repetitions all of them count, and the row says so."""


def execute_profile(
    expansion: Expansion,
    results: Path,
    command: tuple[str, ...],
    progress: Progress,
    *,
    patience: Patience | None = None,
) -> RunOutcome:
    """Profile every case of `expansion` that has tokens, in a new folder below `results`. Errors: as `execute`."""
    found = cells(expansion.cases)
    return execute_contests(
        expansion, found, results, command, progress, make_side=_profiled, fewest=1, patience=patience
    )


def _profiled(site: Site, cases: tuple[Case, ...]) -> Side:
    return ProfiledSide(cases, run_dir=site.run_dir, disk=site.disk)


def cells(cases: Sequence[Case]) -> tuple[tuple[tuple[Case, ...], ...], ...]:
    """By contest, by side: the cases, one per test. Cases that differ in merge, fuse and path alone are one contest.

    Each has one process: a profile says where time goes, and no verdict rests on it.
    """
    sides: dict[tuple[object, Axes], list[Case]] = {}
    for case in cases:
        if case.test.kind != "load":
            alone = replace(case, sampling=replace(case.sampling, processes=1))
            sides.setdefault((case.model, case.axes), []).append(alone)
    found: dict[tuple[object, Axes, tuple[Test, ...]], list[tuple[Case, ...]]] = {}
    for (model, axes), side in sides.items():
        rest = replace(axes, merge_up_gate=False, fused_moe=False, moe_path="")
        found.setdefault((model, rest, tuple(case.test for case in side)), []).append(tuple(side))
    return tuple(map(tuple, found.values()))


@dataclass
class ProfiledSide(Side):
    """A side whose rows are also timed operation by operation; a finished case's profile is on disk."""

    run_dir: Path = field(kw_only=True)
    disk: Disk = field(kw_only=True)
    _heard: tuple[OpTime, ...] = ()
    _taken: dict[int, tuple[OpTime, ...]] = field(default_factory=dict)
    _rounds: dict[str, dict[Measurement, list[TimedRound]]] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Take in whatever its worker says."""
        if isinstance(event, OpsTimed):
            self._heard = event.ops
        super().hear(event)

    def take(self, case: Case, row: Measurement) -> Sample | None:
        """One sample of `row`, and its operations timed; None once the worker has ended instead."""
        sample = super().take(case, row)
        if sample is None or self.worker is None or not self.worker.time_ops(row):
            return None
        self._taken[sample.start_ns] = self._heard
        return sample

    def add(self, case: Case, row: Measurement, samples: tuple[Sample, ...], stopped_by: str) -> None:
        """One sitting has taken these samples of a row."""
        super().add(case, row, samples, stopped_by)
        rounds = self._rounds.setdefault(case.case_id, {}).setdefault(row, [])
        rounds += [(sample, self._taken[sample.start_ns]) for sample in samples]
        if self.complete(case):
            done = tuple(row_profile(of, found) for of, found in self._rounds[case.case_id].items())
            write_profile(self.run_dir, CaseProfile(case, done), self.disk)


def row_profile(row: Measurement, rounds: Sequence[TimedRound]) -> RowProfile:
    """Medians over the rounds that count: undisturbed ones past the warm-up, all but the first where those are few."""
    calm = [found for found in rounds if found[0].state == "ok"]
    counted = calm if len(calm) >= FEWEST_CALM else list(rounds[1:] or rounds)
    plain = tuple(sample.total_ns for sample, _ in counted)
    return RowProfile(
        test=row.name,
        n_tokens=row.n_prompt + row.n_gen,
        n_runs=len(counted),
        plain_ns=int(np.median(plain)),
        ops=tuple(_over_runs(op) for op in zip(*(ops for _, ops in counted), strict=True)),
        plain_runs_ns=plain,
        disturbed=counted is not calm,
    )


def _over_runs(runs: Sequence[OpTime]) -> OpTime:
    times = tuple(op.ns for op in runs)
    return replace(runs[0], ns=int(np.median(times)), runs_ns=times)
