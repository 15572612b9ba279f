"""The program says what the architecture says, in operations."""

from dataclasses import replace
from typing import Any

import numpy as np

from harness.core.options import Options
from harness.core.plan import make_plan
from harness.core.program.build import build_program
from harness.core.program.op import Op, Program
from harness.core.program.show import format_program

REFERENCE = Options(devices=("reference",))
MERGED = replace(REFERENCE, merge_up_gate=True, merge_qkv=True)


def program_of(model: Any, options: Options = REFERENCE) -> Program:
    return build_program(model, make_plan(model, options))


def ops_of_layer(program: Program, layer: int) -> dict[str, Op]:
    return {op.name: op for op in program.ops if op.layer == layer}


def test_a_mixture_layer_runs_these_operations_in_this_order(made: Any, model_of: Any) -> None:
    program = program_of(model_of(made("tiny-qwen3moe")))
    assert [op.name for op in program.ops if op.layer == 1] == [
        "rms_norm", "qkv", "attention", "attn_out", "rms_norm", "route", "moe_up_gate", "moe_down",
    ]  # fmt: skip
    assert [op.name for op in program.ops if op.layer == -1] == ["embed", "rms_norm", "logits"]


def test_every_input_was_an_output_before_and_every_value_is_declared_once(made: Any, model_of: Any) -> None:
    for preset in ("tiny-llama", "tiny-gpt-oss"):
        program = program_of(model_of(made(preset)))
        defined: set[str] = set()
        for op in program.ops:
            assert defined.issuperset(op.inputs)
            assert defined.isdisjoint(op.outputs)
            defined.update(op.outputs)
        assert sorted(value.name for value in program.values) == sorted(defined)


def test_every_weight_an_operation_names_is_in_the_plan_and_all_of_the_plan_is_used(made: Any, model_of: Any) -> None:
    for options in (REFERENCE, MERGED):
        model = model_of(made("tiny-gpt-oss"))
        plan = make_plan(model, options)
        used = {(name, op.device) for op in build_program(model, plan).ops for name in op.weights.values()}
        assert used == {(tensor.name, tensor.device) for tensor in plan.tensors}


def test_a_merge_changes_roles_and_nothing_else_of_the_program(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    plain, merged = program_of(model), program_of(model, MERGED)
    assert set(ops_of_layer(plain, 0)["moe_up_gate"].weights) == {"gate", "up", "gate_bias", "up_bias"}
    assert set(ops_of_layer(merged, 0)["moe_up_gate"].weights) == {"gate_up", "gate_up_bias"}
    assert set(ops_of_layer(merged, 0)["qkv"].weights) == {"qkv", "qkv_bias"}
    assert [replace(op, weights={}) for op in plain.ops] == [replace(op, weights={}) for op in merged.ops]
    assert plain.values == merged.values


def test_a_file_that_comes_merged_gives_the_program_of_a_merge(made: Any, model_of: Any) -> None:
    from_file = program_of(model_of(made("tiny-gpt-oss-merged")))
    merged = program_of(model_of(made("tiny-gpt-oss")), replace(REFERENCE, merge_up_gate=True))
    assert from_file.ops == merged.ops


def test_params_carry_what_kernels_need(made: Any, model_of: Any) -> None:
    options = replace(REFERENCE, fused_moe=False, moe_path="per_expert")
    program = program_of(model_of(made("tiny-gpt-oss")), options)
    layer = ops_of_layer(program, 2)
    assert layer["attention"].params["window"] == 12
    assert layer["attention"].params["scale"] == 0.125
    assert layer["attention"].weights == {"sinks": "blk.2.attn_sinks.weight"}
    assert (layer["moe_up_gate"].params["fused"], layer["moe_up_gate"].params["path"]) == (False, "per_expert")
    assert layer["moe_up_gate"].params["activation"] == "swiglu_oai"
    assert layer["qkv"].params["slot"] == 2
    assert [slot.window for slot in program.kv_slots] == [12, 0, 12]


def test_fewer_layers_end_in_the_same_head(made: Any, model_of: Any) -> None:
    program = program_of(model_of(made("tiny-gpt-oss")), replace(REFERENCE, layers=1))
    assert max(op.layer for op in program.ops) == 0
    assert program.ops[-1].weights == {"output": "output.weight"}


def test_tables_are_float64_until_they_are_read(made: Any, model_of: Any) -> None:
    (table,) = program_of(model_of(made("tiny-gpt-oss"))).rope_tables
    cos, sin = table.cos_sin(5)
    assert cos.shape == (5, 32)
    assert cos.dtype == np.float32
    np.testing.assert_array_equal(cos[0], np.float32(table.magnitude))
    np.testing.assert_array_equal(sin[0], 0)


def test_a_printed_program_folds_layers_and_totals_the_cost(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    plan = make_plan(model, MERGED)
    lines = format_program(build_program(model, plan), plan).splitlines()
    windowed = [line for line in lines if "window=12" in line]
    assert len(windowed) == 1
    assert windowed[0].startswith("0,2")
    assert lines[-1].startswith("all")
    assert "27 operations" in lines[-1]
