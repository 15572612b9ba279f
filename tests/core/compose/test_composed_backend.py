"""Several devices as one: counts, errors and threads."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.compose.teams import deal_cores
from harness.core.errors import CoreError, OutOfMemoryError
from harness.core.options import Options
from harness.core.reference.segments import ReferenceSegments
from harness.core.session import Session

TWO = Options(devices=("reference-q8", "reference-q8:1"), split_mode="graph", n_ctx=16, ubatch=4)
TOKENS = [3, 141, 59, 26, 53]


@pytest.mark.parametrize("mode", ["layer", "graph", "row"])
def test_experts_are_counted_as_on_one_device(made: Any, mode: Any) -> None:
    counts = []
    for options in (Options(devices=("reference-q8",)), Options(devices=TWO.devices, split_mode=mode)):
        with Session.open(made("tiny-qwen3moe"), options) as session:
            session.prefill(TOKENS, "all")
            counts.append(session.expert_counts())
    np.testing.assert_array_equal(*counts)


def test_a_context_is_empty_again_after_a_reset(made: Any) -> None:
    with Session.open(made("tiny-gpt-oss"), TWO) as session:
        first = session.logits(TOKENS)
        np.testing.assert_array_equal(session.logits(TOKENS), first)
        session.new_context(8)
        np.testing.assert_array_equal(session.logits(TOKENS), first)


def test_no_logits_are_computed_where_none_are_wanted(made: Any) -> None:
    with Session.open(made("tiny-gpt-oss"), TWO) as session:
        assert session.prefill(TOKENS, "none") is None
        assert session.position == len(TOKENS)


def test_the_error_of_a_device_is_raised_and_the_others_stop(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with Session.open(made("tiny-gpt-oss"), TWO) as session:
        run, calls = ReferenceSegments.run_segment, []

        def failing(self: ReferenceSegments, index: int, *rest: Any) -> Any:
            calls.append(index)
            if len(calls) == 3:
                raise CoreError("the device is gone")
            return run(self, index, *rest)

        monkeypatch.setattr(ReferenceSegments, "run_segment", failing)
        with pytest.raises(CoreError, match="the device is gone"):
            session.prefill(TOKENS)


def test_a_device_that_is_full_leaves_nothing_behind(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.core.cuda.emulator import device as emulator

    opened = []

    class Small(emulator.EmulatedDevice):
        def __init__(self) -> None:
            super().__init__(memory_bytes=200_000)
            opened.append(self)

    monkeypatch.setattr(emulator, "EmulatedDevice", Small)
    before = threading.active_count()
    options = Options(devices=("cpu:0", "cuda-emulated:0"), split_mode="layer")
    with pytest.raises(
        OutOfMemoryError, match=r"(blk\.\d|output).* needs [\d,]+ bytes of device memory and [\d,]+ are"
    ):
        Session.open(made("tiny-gpt-oss"), options)
    assert threading.active_count() == before
    assert opened[0].memory_info()[0] == 200_000


def test_threads_end_with_the_session(made: Path) -> None:
    before = threading.active_count()
    Session.open(made("tiny-llama"), TWO).close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("n_devices", "n_threads", "sizes"), [(2, 2, [1, 1]), (2, 5, [3, 2]), (3, 2, [1, 1, 1]), (1, 4, [4])]
)
def test_threads_are_dealt_evenly_and_every_device_has_one(n_devices: int, n_threads: int, sizes: list[int]) -> None:
    teams = deal_cores([f"cpu:{i}" for i in range(n_devices)], n_threads)
    assert [team.n_threads for team in teams.values()] == sizes
    assert all(team.cores for team in teams.values())


def test_devices_have_cores_of_their_own_where_there_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {2, 3, 6, 7})
    assert [team.cores for team in deal_cores(["cpu:0", "cpu:1"], 0).values()] == [(2, 3), (6, 7)]
