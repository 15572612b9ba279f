"""The fake does what its script says, and the same twice."""

import json
import time
from typing import Any

import pytest

from harness.engines.fake import FakeEngine
from harness.engines.script import read_script
from harness.errors import EngineError
from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, Test


def case(script: dict[str, Any], case_id: str = "a", **axes: Any) -> Case:
    axes = {"engine": "fake", **axes}
    return Case(case_id, "made", ModelRef("m"), Axes(**axes), Test("pp", 8), Sampling(), fake=json.dumps(script))


def loaded(script: dict[str, Any], case_id: str = "a", **axes: Any) -> FakeEngine:
    engine = FakeEngine()
    engine.load(case(script, case_id, **axes))
    return engine


def times(engine: FakeEngine, n: int = 5) -> list[int]:
    return [engine.prefill([1] * 8, 0).total_ns for _ in range(n)]


def test_times_are_those_of_the_script() -> None:
    engine = loaded({"prefill_token_ns": 10, "decode_token_ns": 100, "depth_slope": 0.5})
    assert engine.prefill([1] * 8, 0).total_ns == 80
    assert engine.prefill([1] * 8, 2).total_ns == 160
    assert engine.decode([1, 1], 0).token_ns == (100, 150)


def test_noise_is_seeded_and_differs_between_cases_and_seeds() -> None:
    noisy = {"noise": 0.05}
    assert times(loaded(noisy)) == times(loaded(noisy))
    assert len({tuple(times(e)) for e in (loaded(noisy), loaded(noisy, "b"), loaded({**noisy, "seed": 1}))}) == 3


def test_warm_up_and_drift_shape_the_series() -> None:
    assert times(loaded({"prefill_token_ns": 1000, "warmup": [3.0, 1.5]})) == [24_000, 12_000, 8000, 8000, 8000]
    assert times(loaded({"prefill_token_ns": 1000, "drift": 0.5}), 3) == [8000, 12_000, 16_000]


def test_an_effect_applies_where_its_axis_has_the_value() -> None:
    script = {"effects": [{"axis": "merge_up_gate", "value": True, "factor": 0.5, "logits": "wrong"}]}
    off, on = loaded(script), loaded(script, merge_up_gate=True)
    assert times(on, 1)[0] * 2 == times(off, 1)[0]
    assert (off.logits([1, 2]) != on.logits([1, 2])).any()


def test_logits_depend_on_the_tokens_alone() -> None:
    assert (loaded({}).logits([1, 2, 3]) == loaded({}, "b").logits([1, 2, 3])).all()
    assert (loaded({}).logits([1, 2, 3]) != loaded({}).logits([1, 2, 4])).any()


def test_the_virtual_clock_moves_with_the_reported_times_and_nothing_sleeps() -> None:
    script = {"prefill_token_ns": 10**9}
    engine = loaded(script)
    tools = engine.tools(case(script))
    assert tools is not None
    before, begin = tools.clock(), time.monotonic()
    timing = engine.prefill([1] * 8, 0)
    assert tools.clock() - before == timing.total_ns == 8 * 10**9
    assert time.monotonic() - begin < 8


def test_the_real_clock_sleeps_and_reports_what_passed() -> None:
    script = {"clock": "real", "prefill_token_ns": 2_000_000}
    engine = loaded(script)
    assert engine.tools(case(script)) is None
    begin = time.perf_counter_ns()
    timing = engine.prefill([1] * 8, 0)
    assert 16_000_000 <= timing.total_ns <= time.perf_counter_ns() - begin


def test_its_version_says_which_clock_it_was() -> None:
    assert FakeEngine().load(case({})).engine_version == "fake, virtual clock"


def test_scripted_disturbances_show_on_the_calls_they_name() -> None:
    script = {"contended": [0], "throttled": [2]}
    engine = loaded(script)
    tools = engine.tools(case(script))
    assert tools is not None
    seen = []
    for _ in range(4):
        engine.prefill([1], 0)
        seen.append(tools.probe.between(None, None))
    assert [bool(s.disturbed) for s in seen] == [True, False, True, False]
    assert seen[2].contention.throttle


def test_it_can_be_loaded_again_after_close() -> None:
    engine = loaded({})
    engine.close()
    assert engine.load(case({})).n_vocab == 64


@pytest.mark.parametrize("text", ['{"nosie": 1}', '{"faults": [{"kind": "explode"}]}', "no JSON", '{"clock": "wall"}'])
def test_a_script_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match="script does not fit"):
        read_script(text)
