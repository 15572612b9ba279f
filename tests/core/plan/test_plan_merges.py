"""Which merges are made, and why not otherwise."""

from dataclasses import replace
from typing import Any

import pytest

from harness.core.errors import PlanError
from harness.core.formats.table import BY_NAME
from harness.core.options import Options
from harness.core.plan import Plan, make_plan

REFERENCE = Options(devices=("reference",))
MERGED = replace(REFERENCE, merge_up_gate=True, merge_qkv=True, merge_up_gate_shared=True)


def decisions(plan: Plan, kind: str) -> set[tuple[bool, str]]:
    return {(merge.done, merge.reason) for merge in plan.merges if merge.kind == kind}


def test_nothing_is_merged_unless_asked_for(made: Any, model_of: Any) -> None:
    plan = make_plan(model_of(made("tiny-gpt-oss")), REFERENCE)
    assert {(merge.done, merge.reason) for merge in plan.merges} == {(False, "not asked for")}
    assert not [tensor for tensor in plan.tensors if len(tensor.pieces) > 1]


def test_every_layer_has_a_decision_on_every_merge_it_has_room_for(made: Any, model_of: Any) -> None:
    plan = make_plan(model_of(made("tiny-gpt-oss")), MERGED)
    assert [(merge.layer, merge.kind) for merge in plan.merges] == [
        (layer, kind) for layer in range(3) for kind in ("qkv", "up_gate")
    ]


def test_expert_e_of_the_merged_tensor_is_gate_e_then_up_e_biases_included(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    plan = make_plan(model, MERGED)
    for kind in ("weight", "bias"):
        merged = plan.tensor(f"blk.1.ffn_gate_up_exps.{kind}", "reference")
        gate = model.file.tensors[f"blk.1.ffn_gate_exps.{kind}"]
        half = gate.n_bytes // 8
        assert [(p.tensor.split("_")[1], p.dest_offset, p.n_bytes) for p in merged.pieces[:4]] == [
            ("gate", 0, half),
            ("up", half, half),
            ("gate", 2 * half, half),
            ("up", 3 * half, half),
        ]
        assert merged.pieces[2].file_offset == gate.offset + half
    assert decisions(plan, "up_gate") == {(True, "gate and up are of one format, biases too")}


def test_a_merge_changes_neither_size_nor_parameters_nor_placed_bytes(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    plain, merged = make_plan(model, REFERENCE), make_plan(model, MERGED)
    assert (plain.model_size_bytes, plain.n_params) == (merged.model_size_bytes, merged.n_params)
    assert sum(t.n_bytes for t in plain.tensors) == sum(t.n_bytes for t in merged.tensors) == plain.model_size_bytes


def test_gate_and_up_of_different_formats_stay_apart_with_the_reason(made: Any, model_of: Any) -> None:
    formats = {"default": "Q8_0", "ffn_gate": "Q4_0", "ffn_up": "Q4_1"}
    plan = make_plan(model_of(made("mixtral", formats)), MERGED)
    assert decisions(plan, "up_gate") == {(False, "gate is Q4_0, up is Q4_1")}
    assert plan.tensor("blk.0.ffn_gate_exps.weight", "reference").format == "Q4_0"


def test_a_bias_on_one_side_only_prevents_the_merge(made: Any, model_of: Any) -> None:
    lacking = {f"blk.{layer}.ffn_up_exps.bias": None for layer in range(3)}
    plan = make_plan(model_of(made("tiny-gpt-oss"), tensors=lacking), MERGED)
    assert decisions(plan, "up_gate") == {(False, "gate has a bias, up has none")}


def test_q_and_k_merge_alone_where_v_is_of_another_format(made: Any, model_of: Any) -> None:
    formats = {"default": "Q4_0", "attn_v": "Q8_0"}
    plan = make_plan(model_of(made("llama", formats)), MERGED)
    assert decisions(plan, "qkv") == {(True, "Q and K only: K is Q4_0, V is Q8_0")}
    assert plan.tensor("blk.0.attn_qk.weight", "reference").shape == (8 * 64, 288)
    assert plan.tensor("blk.0.attn_v.weight", "reference").shape == (2 * 64, 288)


def test_q_and_k_of_different_formats_are_not_merged(made: Any, model_of: Any) -> None:
    plan = make_plan(model_of(made("llama", {"default": "Q4_0", "attn_q": "Q8_0"})), MERGED)
    assert decisions(plan, "qkv") == {(False, "Q is Q8_0, K is Q4_0")}


def test_dense_gate_and_up_merge_under_their_own_option(made: Any, model_of: Any) -> None:
    model = model_of(made("llama", {"default": "Q4_0"}))
    only_experts = make_plan(model, replace(REFERENCE, merge_up_gate=True))
    assert decisions(only_experts, "up_gate_shared") == {(False, "not asked for")}
    merged = make_plan(model, MERGED).tensor("blk.1.ffn_gate_up.weight", "reference")
    assert merged.shape == (2 * 416, 288)


@pytest.mark.parametrize("asked", [False, True])
def test_a_file_that_comes_merged_stays_so_whether_asked_or_not(made: Any, model_of: Any, asked: bool) -> None:
    model = model_of(made("tiny-gpt-oss-merged"))
    plan = make_plan(model, replace(REFERENCE, merge_up_gate=asked))
    assert decisions(plan, "up_gate") == {(True, "the file comes merged")}
    stored = plan.tensor("blk.0.ffn_gate_up_exps.weight", "reference")
    assert len(stored.pieces) == 1
    assert stored.n_bytes == model.file.tensors[stored.name].n_bytes


def test_layout_mapped_merges_nothing_and_says_so(made: Any, model_of: Any) -> None:
    plan = make_plan(model_of(made("tiny-gpt-oss")), replace(MERGED, layout="mapped"))
    assert {merge.done for merge in plan.merges} == {False}
    assert {merge.reason for merge in plan.merges} == {"layout mapped leaves the file's bytes where they are"}
    assert {tensor.layout for tensor in plan.tensors} == {"mapped"}


def test_tensors_of_single_experts_become_one_even_where_they_cannot_be_mapped(made: Any, model_of: Any) -> None:
    model = model_of(made("mixtral", {"default": "Q8_0"}, experts="single"))
    plan = make_plan(model, replace(REFERENCE, layout="mapped"))
    stored = plan.tensor("blk.0.ffn_down_exps.weight", "reference")
    assert (stored.shape, stored.layout) == ((8, 288, 160), "rows")
    assert [piece.tensor for piece in stored.pieces] == [f"blk.0.ffn_down.{e}.weight" for e in range(8)]


def test_fewer_layers_count_fewer_bytes(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    plan = make_plan(model, replace(REFERENCE, layers=1))
    assert {merge.layer for merge in plan.merges} == {0}
    assert sum(tensor.n_bytes for tensor in plan.tensors) == plan.model_size_bytes < model.size_bytes


def test_stored_rows_have_the_bytes_their_format_needs(made: Any, model_of: Any) -> None:
    for stored in make_plan(model_of(made("tiny-qwen3moe")), MERGED).tensors:
        assert stored.row_bytes == BY_NAME[stored.format].row_bytes(stored.shape[-1])


WRONG_OPTIONS = [
    ({"devices": ()}, "no device was given"),
    ({"devices": ("tpu:0",)}, "device 'tpu:0' is unknown"),
    ({"layers": 4}, "layers is 4, but tiny gpt-oss"),
    ({"layers": 0}, "layers is 0"),
    ({"ubatch": 0}, "ubatch is 0"),
    ({"n_ctx": 0}, "n_ctx is 0"),
    ({"layout": "packed"}, "layout packed is not available on reference"),
]


@pytest.mark.parametrize(("changes", "says"), WRONG_OPTIONS, ids=[str(changes) for changes, _ in WRONG_OPTIONS])
def test_options_that_cannot_be_met_are_a_sentence(
    made: Any, model_of: Any, changes: dict[str, Any], says: str
) -> None:
    model = model_of(made("tiny-gpt-oss"), {"general.name": "tiny gpt-oss"})
    with pytest.raises(PlanError) as caught:
        make_plan(model, replace(REFERENCE, **changes))
    assert says in str(caught.value)
