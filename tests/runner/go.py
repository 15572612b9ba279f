"""A program that goes on with a run of fakes: `go.py RESULTS RESUME N CLOCK`. It prints what happens, line by line."""

import os
import sys
from pathlib import Path

from fake_cases import Heard, expansion, fake_case

from harness.records.record import Record
from harness.records.timing import Sample
from harness.runner.run import RunOutcome, execute


class Told(Heard):
    """Writes at once what a parent may take for a promise."""

    def sample(self, _case: object, _row: str, n_taken: int, _sample: Sample) -> None:
        tell(f"sample {n_taken}")

    def case_done(self, record: Record) -> None:
        tell(f"done {record.case.case_id} {record.status}")


def tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def go_on(results: Path, resume: str, n_cases: int, clock: str) -> RunOutcome:
    script = {"noise": 0.01, "clock": clock, "prefill_token_ns": 10_000_000}
    cases = [fake_case(f"case-{index}", script, precision=0.01, max_samples=5) for index in range(n_cases)]
    return execute(expansion(*cases), results, resume or None, ("go",), Told())


if __name__ == "__main__":
    outcome = go_on(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
    tell("interrupted" if outcome.interrupted else "complete")
