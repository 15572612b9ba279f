"""Which axes must agree, and to the bit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_cases import fake_case

from harness.engines.fake import FakeEngine
from harness.errors import EngineError
from harness.records.axes import Axes
from harness.runner.equivalence import changed_axes, check_logits, must_agree, must_be_identical
from harness.runner.job import LogitsTask

BASE = Axes()


@pytest.mark.parametrize(
    ("change", "agree", "identical"),
    [
        ({"merge_up_gate": True}, True, True),
        ({"merge_qkv": True, "threads": 3}, True, True),
        ({"expert_copy": "32"}, True, True),
        ({"split_mode": "layer"}, True, True),
        ({"split_mode": "graph"}, True, False),
        ({"fused_moe": False}, True, False),
        ({"ubatch": 64}, True, False),
        ({"device": "cuda:0"}, True, False),
        ({"type_k": "q8_0"}, False, False),
        ({"layers": 4}, False, False),
    ],
)
def test_which_axes_must_agree_and_which_to_the_bit(change: dict[str, object], agree: bool, identical: bool) -> None:
    other = replace(BASE, **change)  # type: ignore[arg-type]
    assert changed_axes(BASE, other) == tuple(sorted(change, key=list(vars(BASE)).index))
    assert must_agree(BASE, other) is agree
    if agree:
        assert must_be_identical(BASE, other) is identical


def test_bits_are_promised_by_the_core_alone() -> None:
    peer = Axes(engine="ik_wheel")
    assert not must_be_identical(peer, replace(peer, merge_up_gate=True))


def loaded(script: dict[str, object]) -> FakeEngine:
    engine = FakeEngine()
    engine.load(fake_case("a", script))
    return engine


def test_a_promise_of_bits_that_is_not_kept_is_said(tmp_path: Path) -> None:
    path = str(tmp_path / "baseline.npy")
    effects = {"effects": [{"axis": "engine", "value": "fake", "logits": "close"}]}
    case = fake_case("a")
    check_logits(loaded({}), case, 64, LogitsTask("save", path))
    found = check_logits(loaded(effects), case, 64, LogitsTask("compare", path, "a", exact=True))
    assert found.verdict == "close"
    assert "the same bits were promised" in found.note


def test_an_engine_without_logits_is_not_checked_with_its_reason(tmp_path: Path) -> None:
    class Mute(FakeEngine):
        def logits(self, _tokens: object) -> np.ndarray:  # type: ignore[override, type-arg]
            raise EngineError("llama-bench prints no logits.")

    found = check_logits(Mute(), fake_case("a"), 64, LogitsTask("compare", str(tmp_path / "x.npy"), "b"))
    assert (found.verdict, found.against, found.note) == ("not checked", "b", "llama-bench prints no logits.")
