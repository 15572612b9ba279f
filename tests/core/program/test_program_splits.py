"""Split programs: who computes what, what crosses, and how a device's script is cut."""

from collections import Counter
from typing import Any

import pytest

from harness.core.options import Options
from harness.core.plan import make_plan
from harness.core.program.build import build_program
from harness.core.program.op import CROSSINGS, Program
from harness.core.program.segments import Crossing, Segment, scripts
from harness.core.program.show import format_program

TWO = ("cpu:0", "cuda-emulated:0")


@pytest.fixture
def program(made: Any, model_of: Any) -> Any:
    def build(name: str = "tiny-gpt-oss", **options: Any) -> Program:
        model = model_of(made(name))
        return build_program(model, make_plan(model, Options(**{"devices": TWO, **options})))

    return build


MODES = [
    {"split_mode": "layer"},
    {"split_mode": "graph"},
    {"split_mode": "row"},
    {"split_mode": "graph", "devices": (*TWO, "reference"), "n_cpu_moe": 1, "tensor_split": (1, 2, 1)},
    {"override_tensor": (("ffn_.*_exps", "cuda-emulated:0"),)},
    {"devices": ("cuda-emulated:0",), "cpu_moe": True, "expert_copy": 4},
]


@pytest.mark.parametrize("options", MODES, ids=str)
def test_only_crossings_read_what_another_device_made(program: Any, options: dict[str, Any]) -> None:
    made = program(**options)
    device_of = {value.name: value.device for value in made.values}
    for op in made.ops:
        assert op.name in CROSSINGS or {device_of[name] for name in op.inputs} <= {op.device}
        assert device_of[op.outputs[0]] == op.device


@pytest.mark.parametrize("options", MODES, ids=str)
def test_every_value_is_made_before_it_is_read(program: Any, options: dict[str, Any]) -> None:
    made: set[str] = set()
    for op in program(**options).ops:
        assert made.issuperset(op.inputs)
        made.update(op.outputs)


def test_a_layer_split_copies_once_at_each_border(program: Any) -> None:
    found = Counter(op.name for op in program(split_mode="layer").ops)
    assert found["copy"] == 1
    assert not found["reduce"]


def test_a_graph_split_reduces_twice_a_layer_on_every_device(program: Any) -> None:
    made = program(split_mode="graph", reduce_type="bf16")
    reduces = [op for op in made.ops if op.name == "reduce"]
    assert Counter((op.layer, op.device) for op in reduces) == {(i, d): 2 for i in range(3) for d in TWO}
    assert {op.params["wire"] for op in reduces} == {"bf16"}


def test_a_row_split_gathers_after_every_product(program: Any) -> None:
    made = program(split_mode="row", main_gpu=1)
    gathers = [op for op in made.ops if op.name == "gather"]
    assert Counter(op.layer for op in gathers) == {0: 4, 1: 4, 2: 4, -1: 1}
    assert {op.device for op in gathers} == {"cuda-emulated:0"}


@pytest.mark.parametrize("options", MODES, ids=str)
def test_scripts_hold_every_operation_once_in_order(program: Any, options: dict[str, Any]) -> None:
    made = program(**options)
    for script in scripts(made):
        own = [op.outputs for op in made.ops if op.device == script.device]
        assert [op.outputs for step in script.steps for op in _ops(step)] == own


@pytest.mark.parametrize("options", MODES, ids=str)
def test_what_a_segment_reads_is_handed_to_it_or_is_in_its_device(program: Any, options: dict[str, Any]) -> None:
    for script in scripts(program(**options)):
        for all_tokens in (True, False):
            there: set[str] = set()
            for step in script.steps:
                if isinstance(step, Segment) and step.all_tokens == all_tokens:
                    there.update(step.inputs)
                    for op in step.ops:
                        assert there.issuperset(op.inputs)
                        there.update(op.outputs)


@pytest.mark.parametrize("options", MODES, ids=str)
def test_what_is_handed_to_a_segment_or_crosses_is_handed_out_before(program: Any, options: dict[str, Any]) -> None:
    found = scripts(program(**options))
    out = {name for script in found for step in script.steps for name in _handed_out(step)}
    taken = {name for script in found for step in script.steps for name in _taken(step)}
    assert taken <= out


@pytest.mark.parametrize("options", MODES, ids=str)
def test_no_token_is_dropped_before_the_last_keys_are_stored(program: Any, options: dict[str, Any]) -> None:
    for script in scripts(program(**options)):
        flags = [step.all_tokens for step in script.steps]
        assert flags == sorted(flags, reverse=True)
        assert all(step.all_tokens for step in script.segments if any(op.name == "qkv" for op in step.ops))


@pytest.mark.parametrize("n_devices", [2, 3])
def test_activations_cross_for_the_tokens_they_were_made_for(program: Any, n_devices: int) -> None:
    """They lie by expert, so that a reader of fewer tokens would find other pairs in its places."""
    made = program(split_mode="row", devices=tuple(f"cpu:{i}" for i in range(n_devices)))
    steps = [step for script in scripts(made) for step in script.steps]
    all_tokens = {op.outputs[0]: step.all_tokens for step in steps for op in _ops(step)}
    acts = {value.name for value in made.values if value.kind == "act"}
    readers = [op for op in made.ops if acts.intersection(op.inputs)]
    assert {op.name for op in readers} == {"gather", "copy", "moe_down"}
    assert all(all_tokens[op.outputs[0]] == all_tokens[name] for op in readers for name in acts.intersection(op.inputs))


def test_slots_of_a_script_are_numbered_from_0(program: Any) -> None:
    first, second = scripts(program(split_mode="layer"))
    for script, n_layers in ((first, 2), (second, 1)):
        assert [op.params["slot"] for op in script.program.ops if op.name == "attention"] == list(range(n_layers))
        assert [slot.device for slot in script.program.kv_slots] == [script.device] * n_layers


def test_a_split_program_prints_its_crossings(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    plan = make_plan(model, Options(devices=TWO, split_mode="graph"))
    text = format_program(build_program(model, plan), plan)
    assert "reduce" in text
    assert "wire=f32 residual=True" in text


def _ops(step: Segment | Crossing) -> tuple[Any, ...]:
    return step.ops if isinstance(step, Segment) else (step.op,)


def _handed_out(step: Segment | Crossing) -> tuple[str, ...]:
    return step.outputs if isinstance(step, Segment) else step.op.outputs


def _taken(step: Segment | Crossing) -> tuple[str, ...]:
    return step.inputs if isinstance(step, Segment) else step.op.inputs


LENT: dict[str, Any] = {"devices": ("cuda-emulated:0",), "cpu_moe": True, "expert_copy": 4}


def test_a_value_that_two_operations_make_is_made_by_one_of_them_for_any_number_of_tokens(program: Any) -> None:
    made = program(**LENT)
    makers = Counter(op.outputs[0] for op in made.ops)
    twice = [name for name, n in makers.items() if n > 1]
    assert len(twice) == 3
    for n_tokens in range(1, 9):
        running = [op for op in made.ops if n_tokens in op.sizes]
        assert Counter(op.outputs[0] for op in running).most_common(1)[0][1] == 1
        assert {name for op in running for name in op.inputs} <= {op.outputs[0] for op in running}
        home = "cpu:0" if n_tokens < 4 else "cuda-emulated:0"
        assert {op.device for op in running if op.name == "moe_down"} == {home}


def test_a_segment_is_for_one_range_of_tokens_and_reads_what_runs_with_it(program: Any) -> None:
    made = program(**LENT)
    for n_tokens in (3, 4):
        for script in scripts(made):
            running = [step for step in script.steps if n_tokens in step.sizes]
            there: set[str] = set()
            for step in running:
                assert {op.sizes for op in _ops(step)} == {step.sizes}
                for op in _ops(step):
                    read = set() if isinstance(step, Crossing) else set(op.inputs)
                    handed = set() if isinstance(step, Crossing) else set(step.inputs)
                    assert read <= there | handed
                    there.update(op.outputs, handed)


def test_the_program_shows_which_way_is_for_how_many_tokens(program: Any, made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    plan = make_plan(model, Options(**LENT))
    text = format_program(build_program(model, plan), plan)
    assert "[up to 3 tokens]" in text
    assert "[from 4 tokens]" in text
