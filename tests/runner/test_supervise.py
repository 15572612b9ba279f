"""Workers that misbehave, for real: each is ended in bounded time, told apart, and leaves no process behind."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Timer
from typing import Any

import pytest
from fake_cases import HASTE, PP, alive_with, fake_case

from harness.records.record import Record
from harness.runner.events import Event
from harness.runner.gather import Gathered, record_of
from harness.runner.interrupt import Interrupt
from harness.runner.job import Job
from harness.runner.patience import S
from harness.runner.process import TAIL_BYTES
from harness.runner.supervise import supervise

BOUND_S = 30
"""Generous: a loaded machine starts processes slowly. The patience of these tests adds up to about 4 s."""

HANG = {"kind": "hang", "call": 1}
LEAVE = {"kind": "grandchild", "call": 0}
SCRIPTS: dict[str, dict[str, Any]] = {
    "well": {},
    "segv": {"faults": [{"kind": "segv", "call": 1}]},
    "abort": {"faults": [{"kind": "abort", "at": "load"}]},
    "kill": {"faults": [{"kind": "kill"}]},
    "exit": {"faults": [{"kind": "exit", "code": 7}]},
    "error": {"faults": [{"kind": "error", "at": "load"}]},
    "oom": {"faults": [{"kind": "oom", "at": "load"}]},
    "crash in close": {"faults": [{"kind": "segv", "at": "close"}]},
    "hang": {"faults": [HANG]},
    "hang, deaf": {"faults": [{**HANG, "deaf": True}]},
    "frozen": {"faults": [{"kind": "stop", "call": 1}]},
    "spin": {"faults": [{"kind": "spin", "call": 1}]},
    "flood": {"faults": [{"kind": "flood", "n_bytes": 64 << 20}]},
    "flood, then hang": {"faults": [{"kind": "flood", "n_bytes": 1 << 20}, HANG]},
    "grandchild": {"faults": [LEAVE]},
    "grandchild, own session": {"faults": [{**LEAVE, "own_session": True}]},
    "grandchild, then hang, deaf": {"faults": [{**LEAVE, "own_session": True}, {**HANG, "deaf": True}]},
    "script with a typing error": {"fautls": []},
}


@dataclass(frozen=True)
class Seen:
    record: Record
    took_s: float


def watched(script: dict[str, Any]) -> Seen:
    case = fake_case("a", script, test=PP)
    deadline_ns = 4 * S if script.get("faults", [{}])[0].get("kind") == "spin" else 60 * S
    gathered = Gathered()
    begin = time.monotonic()
    end = supervise(Job("case", case), deadline_ns, HASTE, Interrupt(), gathered.take)
    return Seen(record_of(case, gathered, end, interrupted=False), time.monotonic() - begin)


@pytest.fixture(scope="module")
def mark() -> Iterator[str]:
    """In the environment of all that these tests start."""
    with pytest.MonkeyPatch.context() as patch:
        name = uuid.uuid4().hex
        patch.setenv("HARNESS_TEST_MARK", name)
        yield name


@pytest.fixture(scope="module")
def seen(mark: str) -> dict[str, Seen]:
    """All at once: they mostly wait."""
    with ThreadPoolExecutor(6) as pool:
        futures: dict[str, Future[Seen]] = {name: pool.submit(watched, script) for name, script in SCRIPTS.items()}
        return {name: future.result() for name, future in futures.items()}


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("well", "ok", ""),
        ("segv", "crashed", "SIGSEGV in phase pp16"),
        ("abort", "crashed", "SIGABRT in phase load"),
        ("kill", "crashed", "SIGKILL"),
        ("exit", "crashed", "exit code 7"),
        ("error", "failed", "wants this case to fail"),
        ("oom", "oom", "too small"),
        ("crash in close", "crashed", "SIGSEGV in phase close"),
        ("hang", "timeout", "stuck in pp16"),
        ("hang, deaf", "timeout", "stuck in pp16"),
        ("frozen", "timeout", "stuck in pp16"),
        ("spin", "timeout", "slow rather than stuck"),
        ("flood", "ok", ""),
        ("flood, then hang", "timeout", "stuck in pp16"),
        ("grandchild", "ok", ""),
        ("grandchild, own session", "ok", ""),
        ("grandchild, then hang, deaf", "timeout", "stuck in pp16"),
        ("script with a typing error", "failed", "fautls"),
    ],
)
def test_a_misfortune_is_told_from_the_others_in_bounded_time(
    seen: dict[str, Seen], name: str, status: str, says: str
) -> None:
    found = seen[name]
    assert found.record.status == status
    assert says in (found.record.error.message if found.record.error else "")
    assert found.took_s < BOUND_S


def test_no_process_is_left(seen: dict[str, Seen], mark: str) -> None:
    assert seen
    assert alive_with("HARNESS_TEST_MARK", mark) == []


def test_what_was_measured_before_the_misfortune_is_kept(seen: dict[str, Seen]) -> None:
    for name in ("segv", "hang", "hang, deaf", "frozen", "spin"):
        assert [len(row.samples) for row in seen[name].record.rows] == [1]
    assert seen["crash in close"].record.rows[0].stopped_by == "precision"


def test_the_last_words_are_kept_and_a_flood_is_not(seen: dict[str, Seen]) -> None:
    error = seen["exit"].record.error
    assert error is not None
    assert error.stderr_tail == "the engine gives up\n"
    flooded = seen["flood, then hang"].record.error
    assert flooded is not None
    assert 0 < len(flooded.stderr_tail.encode()) <= TAIL_BYTES
    crashed = seen["segv"].record.error
    assert crashed is not None
    assert "misfortune.py" in crashed.stderr_tail


def pressed(times: int) -> Record:
    """A case of samples of 0.8 s, interrupted in the middle of its second one."""
    case = fake_case("a", {"clock": "real", "prefill_token_ns": 50_000_000}, precision=1e-9)
    interrupt, gathered = Interrupt(), Gathered()

    def hear(event: Event) -> None:
        gathered.take(event)
        if len(gathered.open_samples) == 1:
            Timer(0.2, lambda: [interrupt.press() for _ in range(times)]).start()

    end = supervise(Job("case", case), 60 * S, replace(HASTE, grace_ns=60 * S), interrupt, hear)
    return record_of(case, gathered, end, interrupted=True)


def test_the_first_press_lets_the_sample_be_finished() -> None:
    record = pressed(1)
    assert (record.status, record.error) == ("interrupted", None)
    assert [(len(row.samples), row.stopped_by) for row in record.rows] == [(2, "interrupted")]


def test_the_second_press_does_not() -> None:
    record = pressed(2)
    assert record.status == "interrupted"
    assert [len(row.samples) for row in record.rows] == [1]
