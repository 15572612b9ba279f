"""A run: its folder, its lock, its description; then its cases, each in a worker of its own."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.config.types import Expansion
from harness.errors import RunError
from harness.records.record import Record, RunInfo
from harness.runner.identity import harness_commit
from harness.runner.interrupt import Interrupt
from harness.runner.models import ModelFiles
from harness.runner.patience import Patience
from harness.runner.progress import Progress
from harness.runner.sequence import CaseSequence
from harness.runner.site import Site
from harness.runner.survey import surveyed
from harness.store.files import DISK, Disk, locked, sweep_temporaries
from harness.store.runs import INFO, LOCK, create_run, find_run, read_info, write_info


@dataclass(frozen=True)
class RunOutcome:
    """The run's folder and its records in the order of the expansion's cases; those not reached are missing."""

    run_dir: Path
    records: tuple[Record, ...]
    interrupted: bool


def execute(
    expansion: Expansion,
    results: Path,
    resume: str | None,
    command: tuple[str, ...],
    progress: Progress,
    *,
    disk: Disk = DISK,
    patience: Patience | None = None,
) -> RunOutcome:
    """Measure the cases of `expansion` in a new folder below `results`, or what the run `resume` lacks of them.

    A case that fails costs itself alone; `resume` keeps its record, and takes anew what was interrupted. The first
    Ctrl-C ends the run after the sample being taken, the second at once. Errors: RunError for folder, lock and disk,
    ResultError for a run that cannot be found or read.
    """
    with opened(expansion, results, resume, command, progress, disk, patience) as site:
        files = ModelFiles(site.patience, site.interrupt, progress)
        records = CaseSequence(site, files).measure(expansion.cases)
    return RunOutcome(site.run_dir, records, site.interrupt.wanted)


@contextlib.contextmanager
def opened(
    expansion: Expansion,
    results: Path,
    resume: str | None,
    command: tuple[str, ...],
    progress: Progress,
    disk: Disk = DISK,
    patience: Patience | None = None,
) -> Iterator[Site]:
    """A run's folder, locked and described, its machine surveyed, Ctrl-C caught. Errors: as `execute`."""
    run_dir = find_run(resume, results) if resume else create_run(results, expansion.name, disk)
    interrupt, patience = Interrupt(), patience or Patience()
    with interrupt.caught(), locked(run_dir / LOCK, f"{run_dir}: another process writes this run. Let it end first."):
        sweep_temporaries(run_dir)
        info = _continued(run_dir, expansion) if resume else _begun(run_dir, expansion, command)
        write_info(run_dir, info, disk)
        info = surveyed(info, patience, interrupt, progress)
        write_info(run_dir, info, disk)
        yield Site(run_dir, info, disk, patience, interrupt, progress)


def _begun(run_dir: Path, expansion: Expansion, command: tuple[str, ...]) -> RunInfo:
    return RunInfo(
        run=run_dir.name,
        config_name=expansion.name,
        config_text=expansion.text,
        command=command,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        cases=expansion.cases,
        notes=tuple((note.where, note.text) for note in expansion.notes),
        harness_commit=harness_commit(),
    )


def _continued(run_dir: Path, expansion: Expansion) -> RunInfo:
    """The info of a run that goes on. Errors: RunError if the config came to other cases meanwhile."""
    info = read_info(run_dir)
    if {case.case_id for case in info.cases} != {case.case_id for case in expansion.cases}:
        why = f"{run_dir}: the config has come to other cases since this run began"
        raise RunError(f"{why}. Start a new run, or resume with the config, --set and --only of {run_dir / INFO}.")
    return replace(info, cases=expansion.cases, harness_commit=harness_commit())
