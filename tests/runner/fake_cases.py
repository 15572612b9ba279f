"""Cases for the fake engine, and a progress that remembers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.config.types import Expansion
from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, Test
from harness.records.record import Record
from harness.records.timing import Sample
from harness.runner.patience import Patience, S

HASTE = Patience(start_ns=60 * S, stall_ns=2 * S, grace_ns=S // 2, reap_ns=10 * S)
PP = Test("pp", 16)


def fake_case(
    case_id: str = "a",
    script: dict[str, Any] | None = None,
    *,
    test: Test = PP,
    comparison: str = "",
    axes: dict[str, Any] | None = None,
    model: ModelRef | None = None,
    **sampling: Any,
) -> Case:
    return Case(
        case_id=case_id,
        config="made",
        model=model or ModelRef("made"),
        axes=Axes(**{"engine": "fake", **(axes or {})}),
        test=test,
        sampling=Sampling(**{"deadline_ns": 60 * S, "processes": 1, **sampling}),
        comparison=comparison,
        fake=json.dumps(script or {}),
    )


def expansion(*cases: Case) -> Expansion:
    return Expansion("made", tuple(cases), (), "name: made\n")


class Heard:
    """A progress that keeps what it was told."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.phases: list[str] = []
        self.samples: list[Sample] = []
        self.done: list[Record] = []
        self.notes: list[str] = []
        self.etas: list[int | None] = []
        self.n_done_before = 0

    def run_started(self, _run_dir: Path, _n_cases: int, n_done: int) -> None:
        self.n_done_before = n_done

    def case_started(self, case: Case, _index: int, _n_cases: int, eta_ns: int | None) -> None:
        self.started.append(case.case_id)
        self.etas.append(eta_ns)

    def phase(self, _case: Case, phase: str) -> None:
        self.phases.append(phase)

    def sample(self, _case: Case, _row: str, _n_taken: int, sample: Sample) -> None:
        self.samples.append(sample)

    def case_done(self, record: Record) -> None:
        self.done.append(record)

    def note(self, text: str) -> None:
        self.notes.append(text)


def alive_with(name: str, value: str) -> list[int]:
    """The processes whose environment has the variable at this value."""
    wanted = f"{name}={value}".encode()
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
        except OSError:
            continue
    return found


def comparable(records: Sequence[Record]) -> list[Any]:
    """What of records must be equal whenever and in how many goes they were made."""
    return [
        (r.case, r.status, r.rows, r.load, r.load_ns, r.ttft_ns, r.expert_counts, r.equivalence, r.resume_key)
        for r in records
    ]
