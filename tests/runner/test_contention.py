"""A planted busy process is noticed by the real probe, and its samples are retaken, within a bound."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_cases import HASTE, Heard, expansion, fake_case

from harness.records.case import Test
from harness.runner.run import execute
from harness.runner.sampling import RETAKES


@pytest.fixture
def _busy() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield
    process.kill()
    process.wait()


@pytest.mark.usefixtures("_busy")
def test_a_busy_stranger_spoils_samples_which_are_kept_marked_and_retaken(tmp_path: Path) -> None:
    case = fake_case("a", {"clock": "real", "prefill_token_ns": 15_000_000}, test=Test("pp", 16))
    record = execute(expansion(case), tmp_path, None, (), Heard(), patience=HASTE).records[0]
    row = record.rows[0]
    assert record.status == "ok"
    assert row.stopped_by == "contention"
    assert [sample.state for sample in row.samples] == ["contended"] * (RETAKES + 1)
    assert all("other processes used" in sample.disturbed_by for sample in row.samples)
    assert all((sample.contention.foreign_cpu or 0) > 0.1 for sample in row.samples)
