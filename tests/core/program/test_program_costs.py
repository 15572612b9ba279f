"""Costs are counted by hand here, from the shapes of the tiny models."""

from dataclasses import replace
from typing import Any

import pytest

from harness.core.options import Options
from harness.core.plan import make_plan
from harness.core.program.build import build_program
from harness.core.program.costs import (
    Cost,
    Load,
    expected_experts,
    op_cost,
    op_costs,
    program_cost,
    row_cost,
)

REFERENCE = Options(devices=("reference",), ubatch=16)


def cost_of(model: Any, name: str, load: Load, options: Options = REFERENCE) -> Cost:
    plan = make_plan(model, options)
    op = next(op for op in build_program(model, plan).ops if op.name == name)
    return op_cost(op, plan, load)


def test_one_token_of_a_dense_model_multiplies_every_weight_once(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-llama"))
    plan = make_plan(model, REFERENCE)
    cost = program_cost(build_program(model, plan), plan, Load())
    layer = 288 * 64 * (6 + 2 + 2 + 6) + 3 * 288 * 416
    attention = 6 * (64 + 64)
    assert cost.macs == 2 * (layer + attention) + 331 * 288


def test_one_token_reads_only_its_experts(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    cost = cost_of(model, "moe_up_gate", Load())
    row = 288 // 32 * 17
    assert cost.macs == 3 * 2 * 160 * 288
    assert cost.weight_bytes == pytest.approx(3 * 2 * 160 * (row + 4))


def test_many_tokens_read_the_expected_number_of_distinct_experts() -> None:
    assert expected_experts(8, 3, 1) == pytest.approx(3)
    assert expected_experts(8, 3, 2) == pytest.approx(3 + 3 * 5 / 8)
    assert expected_experts(128, 8, 512) == pytest.approx(128)


def test_a_window_bounds_what_attention_sees(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    per_key = 6 * (64 + 64)
    assert cost_of(model, "attention", Load(1, 4)).macs == 5 * per_key
    assert cost_of(model, "attention", Load(1, 500)).macs == 12 * per_key
    assert cost_of(model, "attention", Load(1, 500)).kv_bytes == 12 * 2 * 2 * 128


def test_merging_and_fusing_save_launches_and_no_work(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    launches = {
        (merge, fused): cost_of(model, "moe_up_gate", Load(8), replace(REFERENCE, merge_up_gate=merge, fused_moe=fused))
        for merge in (False, True)
        for fused in (False, True)
    }
    assert [launches[key].launches for key in ((False, False), (True, False), (False, True), (True, True))] == [
        3, 2, 1, 1,
    ]  # fmt: skip
    assert len({(cost.macs, cost.weight_bytes) for cost in launches.values()}) == 1


N_FF, N_EMBD, TOP_K = 160, 288, 3
"""Of tiny-gpt-oss."""


@pytest.mark.parametrize(
    ("merge", "fused", "floats_per_pair"),
    [
        (False, False, 2 * N_EMBD + 2 * 2 * N_FF + N_FF),  # two inputs; both halves out and in again; the result
        (True, False, N_EMBD + 2 * 2 * N_FF + N_FF),
        (False, True, N_EMBD + N_FF),
        (True, True, N_EMBD + N_FF),
    ],
)
def test_merging_saves_an_input_and_fusing_what_lies_between(
    made: Any, model_of: Any, merge: bool, fused: bool, floats_per_pair: int
) -> None:
    options = replace(REFERENCE, merge_up_gate=merge, fused_moe=fused)
    cost = cost_of(model_of(made("tiny-gpt-oss")), "moe_up_gate", Load(8), options)
    assert cost.activation_bytes == 4 * 8 * TOP_K * floats_per_pair


@pytest.mark.parametrize(("merge", "fused", "launches"), [(0, 0, 2 * 3 + 1), (1, 0, 3 + 1), (0, 1, 3), (1, 1, 3)])
def test_expert_by_expert_each_of_a_tokens_three_experts_has_launches_of_its_own(
    made: Any, model_of: Any, merge: int, fused: int, launches: int
) -> None:
    options = replace(REFERENCE, merge_up_gate=bool(merge), fused_moe=bool(fused), moe_path="per_expert")
    assert cost_of(model_of(made("tiny-gpt-oss")), "moe_up_gate", Load(1), options).launches == launches


def test_a_cpu_carries_on_only_the_tokens_whose_logits_are_wanted(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    plan = make_plan(model, replace(REFERENCE, devices=("cpu:0",)))
    program = build_program(model, plan)
    one, none = (op_costs(program, plan, Load(16, 0, n_logits)) for n_logits in (1, 0))
    up_gate = [place for place, op in enumerate(program.ops) if op.name == "moe_up_gate"]
    macs = TOP_K * 2 * N_FF * N_EMBD
    assert [one[place].macs for place in up_gate] == [16 * macs, 16 * macs, macs]
    assert [none[place].macs for place in up_gate] == [16 * macs, 16 * macs, 0]
    last_attention = max(place for place, op in enumerate(program.ops) if op.name == "attention")
    assert one[last_attention].macs == 12 * 6 * (64 + 64), "of the last token, which sees a window of twelve"


def test_a_prompt_is_counted_in_ubatches_and_asks_for_its_last_logits_only(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-llama"))
    plan = make_plan(model, REFERENCE)
    program = build_program(model, plan)
    whole = row_cost(program, plan, n_prompt=40, n_gen=0)
    parts = [program_cost(program, plan, load) for load in (Load(16, 0, 0), Load(16, 16, 0), Load(8, 32, 1))]
    assert whole == parts[0] + parts[1] + parts[2]


def test_generation_sees_one_more_position_per_token(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-llama"))
    plan = make_plan(model, REFERENCE)
    program = build_program(model, plan)
    whole = row_cost(program, plan, n_prompt=0, n_gen=3, depth=10)
    assert whole.macs == sum(program_cost(program, plan, Load(1, depth)).macs for depth in (10, 11, 12))


@pytest.mark.parametrize("mode", ["layer", "graph", "row"])
@pytest.mark.parametrize("name", ["tiny-llama", "tiny-gpt-oss"])
def test_a_split_repeats_no_work_but_routing(made: Any, model_of: Any, name: str, mode: Any) -> None:
    model = model_of(made(name))
    whole = program_cost(build_program(model, plan := make_plan(model, REFERENCE)), plan, Load(n_tokens=4))
    split = replace(REFERENCE, devices=("reference", "reference:1"), split_mode=mode)
    cost = program_cost(build_program(model, plan := make_plan(model, split)), plan, Load(n_tokens=4))
    routing = 3 * 4 * 8 * 288 if model.n_expert and mode != "layer" else 0
    assert cost.macs == whole.macs + routing
    assert cost.kv_bytes == whole.kv_bytes


def test_a_quantised_cache_takes_34_bytes_for_32_numbers(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-llama"))
    plain, quantised = (
        cost_of(model, "attention", Load(depth=99), replace(REFERENCE, type_k=kind, type_v=kind))
        for kind in ("f16", "q8_0")
    )
    assert quantised.kv_bytes / plain.kv_bytes == 34 / 64


@pytest.mark.parametrize("load", [Load(3), Load(4), Load(9, 5, 9)], ids=str)
def test_borrowed_experts_are_multiplied_once_and_their_bytes_are_read_once(
    made: Any, model_of: Any, load: Load
) -> None:
    model, costs = model_of(made("tiny-qwen3moe")), []
    for choice in (4, "off"):
        options = Options(devices=("cuda-emulated:0",), cpu_moe=True, expert_copy=choice)  # type: ignore[arg-type]
        plan = make_plan(model, options)
        program = build_program(model, plan)
        found = zip(program.ops, op_costs(program, plan, load), strict=True)
        of_experts = [cost for op, cost in found if op.name in ("moe_up_gate", "moe_down") and op.layer == 0]
        costs.append((sum(cost.macs for cost in of_experts), sum(cost.weight_bytes for cost in of_experts)))
    assert costs[0] == costs[1]
    assert costs[0][0] > 0
