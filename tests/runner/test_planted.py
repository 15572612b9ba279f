"""The slowdown that benchmarks plant in the real engine: as large as asked for, on the side asked for, nowhere else."""

import importlib.util
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from harness.records.timing import Timing

PLANTED = Path(__file__).parents[2] / "benchmarks" / "planted" / "sitecustomize.py"


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("HARNESS_PLANTED", "0.5")
    spec = importlib.util.spec_from_file_location("planted", PLANTED)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(_engine: object, tokens: Sequence[int], _depth: int) -> Timing:
    return Timing(len(tokens), 4_000_000, (1_000_000, 3_000_000))


def test_a_planted_call_takes_and_reports_its_share_more(planted: ModuleType) -> None:
    begin = time.perf_counter_ns()
    timing = planted.slowed(call)(SimpleNamespace(planted=True), [1, 2], 0)
    assert time.perf_counter_ns() - begin >= 2_000_000
    assert timing.total_ns >= 6_000_000
    assert sum(timing.token_ns) == timing.total_ns


def test_the_other_side_is_left_alone(planted: ModuleType) -> None:
    assert planted.slowed(call)(SimpleNamespace(planted=False), [1, 2], 0) == call(None, [1, 2], 0)


def test_all_processes_of_the_named_side_are_slowed(planted: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.engines.core import CoreEngine

    for name in ("prefill", "decode"):
        monkeypatch.setattr(CoreEngine, name, getattr(CoreEngine, name))
    monkeypatch.setattr(CoreEngine, "load", lambda _engine, _case: None)
    planted.plant()
    for name, slow in (("a.0", False), ("a-again", True), ("a-again.0", True), ("a-again.15", True)):
        engine = SimpleNamespace()
        CoreEngine.load(engine, SimpleNamespace(case_id=name))  # type: ignore[arg-type]
        assert engine.planted is slow, name


def test_only_workers_are_touched(planted: ModuleType) -> None:
    assert "harness.runner.worker" not in sys.orig_argv
    from harness.engines.core import CoreEngine

    assert CoreEngine.prefill.__qualname__ == "CoreEngine.prefill"
