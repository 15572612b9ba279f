"""What overrides move, that a part moves as one, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest

from harness.core.errors import PlanError
from harness.core.models import Model
from harness.core.options import Options
from harness.core.plan import Plan, format_plan, make_plan

TWO = Options(devices=("cuda-emulated:0", "cpu:0"), split_mode="layer", merge_up_gate=True, tensor_split=(1, 0))


@pytest.fixture
def model(made: Any, model_of: Any) -> Model:
    found: Model = model_of(made("tiny-gpt-oss"))
    return found


def feed_forward_devices(plan: Plan) -> list[str]:
    return [layer.feed_forward.main for layer in plan.placement.layers]


def test_experts_named_by_a_pattern_go_to_its_device_with_their_biases_and_router(model: Model) -> None:
    plan = make_plan(model, replace(TWO, override_tensor=((r"blk\.1\.ffn_.*_exps", "cpu:0"),)))
    assert feed_forward_devices(plan) == ["cuda-emulated:0", "cpu:0", "cuda-emulated:0"]
    names = {tensor.name for tensor in plan.tensors if tensor.device == "cpu:0"}
    assert {name.split(".", 2)[2] for name in names} == {
        "post_attention_norm.weight",
        "ffn_gate_inp.weight",
        "ffn_gate_inp.bias",
        "ffn_gate_up_exps.weight",
        "ffn_gate_up_exps.bias",
        "ffn_down_exps.weight",
        "ffn_down_exps.bias",
    }


def test_merges_are_done_in_layers_with_overrides_too(model: Model) -> None:
    plan = make_plan(model, replace(TWO, cpu_moe=True))
    assert {merge.done for merge in plan.merges if merge.kind == "up_gate"} == {True}


@pytest.mark.parametrize(("end", "moved"), [("first", [0, 1]), ("last", [1, 2])])
def test_n_cpu_moe_counts_layers_from_the_end_it_is_told(model: Model, end: Any, moved: list[int]) -> None:
    plan = make_plan(model, replace(TWO, n_cpu_moe=2, n_cpu_moe_from=end))
    assert [i for i, device in enumerate(feed_forward_devices(plan)) if device == "cpu:0"] == moved


def test_experts_go_to_cpu_0_where_no_cpu_is_among_the_devices(model: Model) -> None:
    plan = make_plan(model, Options(devices=("cuda-emulated:0",), cpu_moe=True))
    assert plan.devices == ("cuda-emulated:0", "cpu:0")


def test_a_part_follows_the_tensor_that_is_named_and_the_plan_says_what_came_along(model: Model) -> None:
    plan = make_plan(model, replace(TWO, override_tensor=((r"blk\.2\.ffn_down_exps", "cpu:0"),)))
    assert feed_forward_devices(plan)[2] == "cpu:0"
    text = format_plan(plan)
    assert "ffn_gate_inp, ffn_gate_exps, ffn_up_exps moved to cpu:0 with the rest of its part in 1 layers" in text


def test_an_override_wins_over_cpu_moe(model: Model) -> None:
    plan = make_plan(model, replace(TWO, cpu_moe=True, override_tensor=((r"blk\.0\..*_exps", "cpu:3"),)))
    assert feed_forward_devices(plan) == ["cpu:3", "cpu:0", "cpu:0"]


REFUSED = [
    (((r"ffn_up_exps", "cpu:0"), (r"ffn_gate_exps", "cpu:1")), r"layer 0: overrides put .* on cpu:1 and .* on cpu:0"),
    (((r"ffn_sideways", "cpu:0"),), r"ffn_sideways=cpu:0 matches no tensor; there are"),
    (((r"ffn_(up", "cpu:0"),), r"not a regular expression"),
    (((r"ffn_up", "tpu:0"),), r"device 'tpu:0' is unknown"),
]


@pytest.mark.parametrize(("rules", "says"), REFUSED, ids=[rules[0][0] for rules, _ in REFUSED])
def test_overrides_that_cannot_be_met_are_a_sentence(model: Model, rules: Any, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        make_plan(model, replace(TWO, override_tensor=rules))


SPLITS = [
    ({"split_mode": "graph", "devices": ("cpu:0",), "tensor_split": ()}, "needs at least two devices"),
    ({"main_gpu": 2}, "main_gpu is 2, but there are 2 devices"),
    ({"devices": ("cpu:0", "cpu:0")}, "name one twice"),
    ({"tensor_split": (1.0, 2.0, 3.0)}, "3 numbers for 2 devices"),
    ({"n_cpu_moe": -1}, "n_cpu_moe is -1"),
]


@pytest.mark.parametrize(("changes", "says"), SPLITS, ids=[next(iter(changes)) for changes, _ in SPLITS])
def test_splits_that_cannot_be_are_a_sentence(model: Model, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        make_plan(model, replace(TWO, **changes))
