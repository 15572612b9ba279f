"""The model files of a run: each made once, in a worker of its own, looked into once, and what fails remembered."""

from dataclasses import replace
from pathlib import Path

from harness.core.errors import CoreError, UnsupportedError
from harness.errors import EXPECTED, RunError
from harness.records.case import Case, ModelRef
from harness.runner.events import Event, Failed, Phase
from harness.runner.interrupt import Interrupt
from harness.runner.job import Job
from harness.runner.patience import Patience, S
from harness.runner.prepare import cache_folder, is_made, prepared
from harness.runner.progress import Progress
from harness.runner.supervise import supervise
from harness.runner.trouble import header_trouble

DEADLINE_NS = 3600 * S


class ModelFiles:
    """Gives a case the file it measures."""

    def __init__(self, patience: Patience, interrupt: Interrupt, progress: Progress) -> None:
        self._patience = patience
        self._interrupt = interrupt
        self._progress = progress
        self._failed: dict[ModelRef, str] = {}
        self._looked: dict[str, CoreError | None] = {}

    def with_file(self, case: Case) -> Case:
        """`case` with its model's path filled in. Errors: RunError, for every case of a file that cannot be had.

        The header is opened in a bounded child first, so that a hostile file costs neither a worker nor the machine.
        """
        found = self._made(case) if is_made(case.model) else case
        if found.model.path is not None and found.axes.engine != "fake":
            self._look(found.model.path, found.axes.engine)
        return found

    def _look(self, path: str, engine: str) -> None:
        """Errors: RunError for a damaged file, and for one with parts that the core does not support."""
        if path not in self._looked:
            self._looked[path] = header_trouble(path)
        trouble = self._looked[path]
        if trouble is not None and not (isinstance(trouble, UnsupportedError) and engine != "core"):
            raise RunError(str(trouble))

    def _made(self, case: Case) -> Case:
        if why := self._failed.get(case.model):
            raise RunError(why)
        try:
            path = prepared(case.model, cache_folder(), lambda model, target: self._make(case, model, target))
        except EXPECTED as error:
            self._failed[case.model] = str(error)
            raise RunError(str(error)) from error
        return replace(case, model=replace(case.model, path=str(path)))

    def _make(self, case: Case, model: ModelRef, target: Path) -> None:
        failures: list[Failed] = []

        def hear(event: Event) -> None:
            if isinstance(event, Failed):
                failures.append(event)
            if event == Phase("prepare"):
                self._progress.phase(case, "prepare")

        job = Job("prepare", model=model, target=str(target))
        end = supervise(job, DEADLINE_NS, self._patience, self._interrupt, hear)
        if failures:
            raise RunError(f"{model.label} cannot be made: {failures[0].message}")
        if end.cause != "exit" or end.code != 0 or not target.exists():
            lines = end.tail.strip().splitlines()
            why = end.why or f"exit code {end.code}"
            raise RunError(f"{model.label} was not made ({why}). {lines[-1] if lines else ''}".rstrip())
