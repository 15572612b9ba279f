"""A run's progress on standard error: one line per finished case and, where a person watches, one that is redrawn.

Nothing is redrawn but inside these calls, while the worker waits, so no sample shares the machine with a redraw.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from harness.cli.talk import say, someone_watches, talk
from harness.config.units import say_duration
from harness.records.case import Case
from harness.records.record import Record
from harness.records.timing import Sample

if TYPE_CHECKING:
    from rich.live import Live


class RunProgress:
    """Satisfies `harness.runner.progress.Progress`; a context manager, which clears the redrawn line at its end."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._width = max(map(len, labels.values()), default=0)
        self._head = ""
        self._n_cases = self._n_done = 0
        self._began: float | None = None
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if someone_watches():
            from rich.live import Live  # noqa: PLC0415  only a terminal needs it

            self._live = Live(console=talk(), auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def run_started(self, run_dir: Path, n_cases: int, n_done: int) -> None:
        done = f", {n_done} of them measured before" if n_done else ""
        say(f"{n_cases} case{'s' if n_cases != 1 else ''}{done}, into {run_dir}")
        self._n_cases, self._n_done = n_cases, n_done

    def case_started(self, case: Case, index: int, n_cases: int, eta_ns: int | None) -> None:
        left = f", about {say_duration(eta_ns)} left" if eta_ns else ""
        self._head = f"{_place(index, n_cases)}  {self._label(case)}{left}"
        self._began = self._began or time.monotonic()
        self._draw("")

    def phase(self, _case: Case, phase: str) -> None:
        self._draw(phase)

    def sample(self, _case: Case, row: str, n_taken: int, sample: Sample) -> None:
        state = "" if sample.state == "ok" else f" ({sample.state})"
        self._draw(f"{row}, sample {n_taken}: {_speed(sample)}{state}")

    def case_done(self, record: Record) -> None:
        """Cases that took turns are done one right after the other; their time stands with the first."""
        self._n_done += 1
        began, self._began = self._began, None
        took = "" if began is None else f", {say_duration(max(1, round((time.monotonic() - began) * 1e9)))}"
        place = _place(self._n_done, self._n_cases)
        said = f"{place}  {self._label(record.case):<{self._width}}  {record.status}{took}"
        say(f"{said}\n    {record.error.message}" if record.error else said)

    def note(self, text: str) -> None:
        say(f"    {text}")

    def _label(self, case: Case) -> str:
        return self._labels.get(case.case_id, case.case_id)

    def _draw(self, what: str) -> None:
        if self._live is not None:
            from rich.text import Text  # noqa: PLC0415

            self._live.update(Text(f"{self._head}  {what}", no_wrap=True, overflow="ellipsis"), refresh=True)


class TurnsProgress(RunProgress):
    """Of a comparison: all its tests share their workers, so a finished case is counted and not timed."""

    def case_started(self, case: Case, index: int, n_cases: int, _eta_ns: int | None) -> None:
        self._head = f"worker {index} of {n_cases}  {self._label(case)}"

    def sample(self, case: Case, row: str, n_taken: int, sample: Sample) -> None:
        self._head = self._label(case)
        super().sample(case, row, n_taken, sample)


def _place(number: int, n_cases: int) -> str:
    return f"{number:>{len(str(n_cases))}}/{n_cases}"


def _speed(sample: Sample) -> str:
    if not sample.n_tokens or not sample.total_ns:
        return say_duration(max(1, sample.total_ns))
    return f"{sample.n_tokens * 1e9 / sample.total_ns:.1f} t/s"
