"""What was reported as done is on disk, whatever the disk does and whenever the process dies."""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import instant
import pytest
from fake_cases import Heard, comparable, expansion, fake_case

from harness.errors import RunError
from harness.records.record import Record
from harness.runner import run, sequence
from harness.runner.run import execute
from harness.store.files import Disk
from harness.store.runs import list_runs, read_run

CASES = tuple(fake_case(f"case {index}") for index in range(9))
N_OPERATIONS = 60


class Died(BaseException):
    """The process is no more: nothing of it may run after this."""


@dataclass
class Faults:
    """Counts the calls of a disk and lets the `at`-th one, and if it `stays` all later ones, fail."""

    at: int
    failure: BaseException
    stays: bool = True
    count: int = 0

    def disk(self) -> Disk:
        return Disk(
            open=self._guard(os.open),
            write=self._guard(self._write_some),
            fsync=self._guard(lambda _descriptor: None),
            replace=self._guard(os.replace),
        )

    def _guard(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any) -> Any:
            self.count += 1
            if self.count == self.at or (self.stays and self.count > self.at):
                raise self.failure
            return call(*arguments)

        return guarded

    def _write_some(self, descriptor: int, data: memoryview) -> int:
        """A short write, as a nearly full disk makes them, then the rest."""
        return os.write(descriptor, data[: max(1, len(data) // 2)] if self.count % 2 else data)


@pytest.fixture(autouse=True, scope="module")
def _at_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequence, "supervise", instant.supervise)
        patch.setattr(run, "surveyed", lambda info, *_: info)
        yield


@pytest.fixture(scope="module")
def unbroken(_at_once: None, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    results = tmp_path_factory.mktemp("unbroken")
    return comparable(execute(expansion(*CASES), results, None, ("run",), Heard()).records)


def broken_run(results: Path, faults: Faults) -> list[Record]:
    """The records a run reported as done before `faults` ended it."""
    heard = Heard()
    with pytest.raises((RunError, Died)):
        execute(expansion(*CASES), results, None, ("run",), heard, disk=faults.disk())
    return heard.done


def check_nothing_lost(results: Path, done: list[Record], unbroken: list[Any]) -> None:
    runs = list_runs(results)
    if not runs:
        assert not done
        return
    found = {record.case.case_id: record for record in read_run(runs[0].run, results).records}
    assert all(found[record.case.case_id] == record for record in done)
    heard = Heard()
    records = execute(expansion(*CASES), results, runs[0].run, ("run",), heard).records
    assert comparable(records) == unbroken
    assert len(heard.started) <= len(CASES) - len(done)
    assert not list((results / runs[0].run).glob(".*.tmp"))


@pytest.mark.parametrize("at", range(1, N_OPERATIONS + 1))
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
def test_a_full_or_failing_disk_loses_nothing_that_was_acknowledged(
    tmp_path: Path, unbroken: list[Any], at: int, code: int
) -> None:
    done = broken_run(tmp_path, Faults(at, OSError(code, os.strerror(code)), stays=at % 2 == 0))
    check_nothing_lost(tmp_path, done, unbroken)


@pytest.mark.parametrize("at", range(1, N_OPERATIONS + 1))
def test_death_at_any_operation_loses_nothing_that_was_acknowledged(
    tmp_path: Path, unbroken: list[Any], at: int
) -> None:
    check_nothing_lost(tmp_path, broken_run(tmp_path, Faults(at, Died())), unbroken)


def test_the_operations_tried_are_those_of_a_whole_run(tmp_path: Path) -> None:
    faults = Faults(10**6, Died())
    execute(expansion(*CASES), tmp_path, None, ("run",), Heard(), disk=faults.disk())
    assert faults.count >= N_OPERATIONS


def test_a_full_disk_is_explained(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"case-case-0.*No space left on device; \d+ bytes needed.*--resume"):
        execute(
            expansion(*CASES),
            tmp_path,
            None,
            ("run",),
            Heard(),
            disk=Faults(16, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))).disk(),
        )
