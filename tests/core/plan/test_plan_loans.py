"""Which layers' experts are lent, what the borrower has of its own, and what the plan says about it."""

from dataclasses import replace
from typing import Any

import pytest

from harness.core.errors import PlanError
from harness.core.models import Model
from harness.core.options import Options
from harness.core.plan import format_plan, make_plan
from harness.core.plan.layout import held_bytes
from harness.core.plan.lending import CHUNK_BYTES, FROM_TOKENS, room_bytes

GPU = "cuda-emulated:0"
LENT = Options(devices=(GPU,), cpu_moe=True, expert_copy=48, ubatch=64, merge_up_gate=True)


@pytest.fixture
def model(made: Any, model_of: Any) -> Model:
    found: Model = model_of(made("tiny-gpt-oss"))
    return found


def test_off_is_the_default_and_lends_nothing(model: Model) -> None:
    plan = make_plan(model, replace(LENT, expert_copy="off"))
    assert Options().expert_copy == "off"
    assert (plan.loans, plan.borrowed, plan.lends_from) == ((), (), 0)
    assert "copied" not in format_plan(plan)


def test_no_weight_moves_and_the_borrower_gets_what_is_small(model: Model) -> None:
    plan, kept = make_plan(model, LENT), make_plan(model, replace(LENT, expert_copy="off"))
    assert set(kept.tensors) < set(plan.tensors)
    more = {tensor.name.split(".", 2)[2] for tensor in set(plan.tensors) - set(kept.tensors)}
    assert more == {
        "post_attention_norm.weight",
        "ffn_gate_inp.weight",
        "ffn_gate_inp.bias",
        "ffn_gate_up_exps.bias",
        "ffn_down_exps.bias",
    }
    assert (plan.model_size_bytes, plan.n_params) == (kept.model_size_bytes, kept.n_params)


@pytest.mark.parametrize("merged", [False, True])
def test_what_is_borrowed_is_the_lenders_rows_byte_for_byte(model: Model, merged: bool) -> None:
    plan = make_plan(model, replace(LENT, merge_up_gate=merged))
    assert len(plan.borrowed) == 3 * (2 if merged else 3)
    for tensor in plan.borrowed:
        own = plan.tensor(tensor.name, "cpu:0")
        assert (tensor.pieces, tensor.shape, tensor.device) == (own.pieces, own.shape, GPU)
        assert own.layout == "packed"


def test_rooms_hold_one_layer_however_many_there_are(model: Model) -> None:
    plan = make_plan(model, LENT)
    first = [tensor for tensor in plan.borrowed if tensor.name.startswith("blk.0.")]
    assert room_bytes(plan.borrowed) == {GPU: sum(map(held_bytes, first)) + CHUNK_BYTES}
    assert not room_bytes(())


def test_auto_begins_where_llama_cpp_does_until_it_is_measured(model: Model) -> None:
    assert make_plan(model, replace(LENT, expert_copy="auto")).lends_from == FROM_TOKENS == 32
    assert make_plan(model, replace(LENT, expert_copy="auto", ubatch=8)).lends_from == 8


def test_the_plan_says_from_which_size_on_and_what_that_takes(model: Model) -> None:
    says = r"experts of layers 0-2 on cpu:0: cuda-emulated:0 multiplies them for 48 tokens and more\. It copies those"
    text = format_plan(make_plan(model, LENT))
    assert says.replace("\\", "") in text
    assert "page cache" in text
    assert "unless another size is measured" in format_plan(make_plan(model, replace(LENT, expert_copy="auto")))
    measured = replace(make_plan(model, LENT), lends_from=9, lends_measured=True)
    assert "for 9 tokens and more, which was measured to pay." in format_plan(measured)
    assert "in any ubatch" in format_plan(replace(make_plan(model, LENT), lends_from=0))


KEPT: list[tuple[dict[str, Any], str]] = [
    ({"expert_copy": 65}, "no ubatch has 65 tokens"),
    ({"override_tensor": (("attn", "cpu:0"),)}, "attention is on cpu:0, no GPU"),
    ({"devices": (GPU, "cuda-emulated:1"), "split_mode": "graph"}, "attention is shared by cuda-emulated:0, cuda"),
]


@pytest.mark.parametrize(("changes", "why"), KEPT, ids=[why for _, why in KEPT])
def test_where_nothing_is_lent_the_plan_says_why(model: Model, changes: dict[str, Any], why: str) -> None:
    plan = make_plan(model, replace(LENT, **changes))
    assert not plan.borrowed
    assert plan.lends_from == 0
    assert {loan.done for loan in plan.loans} == {False}
    assert f"on cpu:0 are never copied: {why}" in format_plan(plan)


def test_gate_and_up_of_two_formats_are_not_lent(made: Any, model_of: Any) -> None:
    model = model_of(made("qwen3moe", {"default": "Q8_0", "ffn_up": "Q4_0"}))
    plan = make_plan(model, replace(LENT, merge_up_gate=False))
    assert {loan.reason.partition(";")[0] for loan in plan.loans} == {"gate is Q8_0 and up is Q4_0"}


def test_a_machine_without_a_gpu_has_nobody_to_lend_to(model: Model) -> None:
    assert make_plan(model, replace(LENT, devices=("cpu:0",))).loans == ()


def test_a_number_below_one_is_refused(model: Model) -> None:
    with pytest.raises(PlanError, match="expert_copy is 0; it is off, auto or a number of tokens"):
        make_plan(model, replace(LENT, expert_copy=0))
