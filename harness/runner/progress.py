"""What a run tells whoever waits. Calls come between samples: the worker waits for each to return (1 s at most)."""

from pathlib import Path
from typing import Protocol

from harness.records.case import Case
from harness.records.record import Record
from harness.records.timing import Sample


class Progress(Protocol):
    """The command line draws it with rich; `Silent` draws nothing. Nothing may be redrawn except in these calls."""

    def run_started(self, run_dir: Path, n_cases: int, n_done: int) -> None:
        """`n_done` of `n_cases` were measured before, by the run that is resumed."""
        ...

    def case_started(self, case: Case, index: int, n_cases: int, eta_ns: int | None) -> None:
        """Case `index` of `n_cases`, from 1; `eta_ns` to the end of the run, None where not known."""
        ...

    def phase(self, case: Case, phase: str) -> None:
        """start, load, equivalence, the test of a row, close; prepare while a model file is made."""
        ...

    def sample(self, case: Case, row: str, n_taken: int, sample: Sample) -> None:
        """Sample `n_taken` of `row`, from 1."""
        ...

    def case_done(self, record: Record) -> None:
        """The record is on disk."""
        ...

    def note(self, text: str) -> None:
        """Something a person should know."""
        ...


class Silent:
    """No progress."""

    def run_started(self, run_dir: Path, n_cases: int, n_done: int) -> None: ...

    def case_started(self, case: Case, index: int, n_cases: int, eta_ns: int | None) -> None: ...

    def phase(self, case: Case, phase: str) -> None: ...

    def sample(self, case: Case, row: str, n_taken: int, sample: Sample) -> None: ...

    def case_done(self, record: Record) -> None: ...

    def note(self, text: str) -> None: ...
