"""Which run a command means: the one named, or the newest."""

from pathlib import Path

from harness.errors import ResultError


def run_folder(run: str | None, results: Path) -> Path:
    """The folder of `run`, or of the run that was started last. Errors: ResultError if there is none."""
    from harness.store.runs import RERUN_NOTE, find_run, list_runs  # noqa: PLC0415

    if run is not None:
        return find_run(run, results)
    runs = [info for info in list_runs(results) if not any(name == RERUN_NOTE for name, _ in info.notes)]
    if not runs:
        raise ResultError(f"{results}: no run here yet. `harness run CONFIG` makes one.")
    return find_run(runs[-1].run, results)
