"""Every op of every architecture against the q8 reference, on equal inputs and ragged sizes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from closeness import distance
from cpu_lab import Floats, Loaded, Slice, external_inputs, loaded, parts_of, reference_op
from numpy.typing import NDArray

from harness.core.program.op import Op

Made = Callable[..., Path]
MODELS = ("tiny-llama", "tiny-mixtral", "tiny-gpt-oss", "tiny-qwen3moe")
TOLERANCE = {"attention": 1e-5, "attn_out": 1e-4}  # of f16 attention 1e-3 would do; attn_out quantises its result


def prompt(n: int) -> NDArray[np.int32]:
    return (np.arange(n, dtype=np.int32) * 37 + 11) % 300


@pytest.fixture(params=MODELS)
def both(request: pytest.FixtureRequest, made: Made, kernels: str) -> Any:
    path = made(request.param)
    with loaded(path, "cpu:0", kernels, threads=2) as on_cpu, loaded(path, "reference-q8") as reference:
        yield on_cpu, reference


@pytest.mark.parametrize("n_tokens", [1, 7, 33])
def test_an_op_computes_what_the_reference_computes(both: tuple[Loaded, Loaded], n_tokens: int) -> None:
    on_cpu, reference = both
    tokens = prompt(n_tokens)
    truth = reference.context().trace(tokens, 0)
    for ops in parts_of(on_cpu.program):
        part = Slice(on_cpu, ops)
        part.run({name: truth[name] for name in external_inputs(ops)}, tokens)
        if ops[0].name == "route":
            check_experts(part, ops, truth, reference, tokens)
            continue
        for op in ops:
            if op.name != "logits" and op is ops[-1]:
                off = distance(part.value(op.outputs[0], n_tokens), truth[op.outputs[0]])
                assert off <= TOLERANCE.get(op.name, 1e-5), f"{op.name} of layer {op.layer}: {off:.2e}"


def check_experts(
    part: Slice, ops: tuple[Op, ...], truth: dict[str, Any], reference: Loaded, tokens: NDArray[np.int32]
) -> None:
    """Each of route, moe_up_gate and moe_down on what the one before it made on the CPU."""
    route, up_gate, down = ops
    n_tokens, top_k = len(tokens), int(route.params["top_k"])
    routing = part.routing(route.outputs[0], n_tokens, top_k)
    np.testing.assert_array_equal(routing.experts, truth[route.outputs[0]].experts)
    assert distance(routing.weights, truth[route.outputs[0]].weights) <= 1e-6

    act = part.act(up_gate.outputs[0], route.outputs[0], n_tokens, up_gate)
    check_quantised(act, truth[up_gate.outputs[0]])

    context = reference.context()
    inputs = [act, routing, truth[down.inputs[2]]]
    assert distance(part.value(down.outputs[0], n_tokens), reference_op(context, down, tokens, 0, *inputs)) <= 1e-5


def check_quantised(act: Floats, truth: Floats) -> None:
    """Each number within half a step of its block, a step being a 127th of the block's largest."""
    blocks = truth.reshape(-1, 32) if truth.shape[-1] % 32 == 0 else truth.reshape(-1, truth.shape[-1])
    step = np.abs(blocks).max(axis=1, keepdims=True) / 127
    assert np.all(np.abs(act.reshape(blocks.shape) - blocks) <= 0.501 * step)


@pytest.mark.parametrize("n_tokens", [1, 7])
def test_attention_of_a_later_ubatch_sees_what_the_earlier_ones_stored(
    both: tuple[Loaded, Loaded], n_tokens: int
) -> None:
    on_cpu, reference = both
    context = reference.context()
    context.trace(prompt(40), 0)
    truth = context.trace(prompt(n_tokens), 40)
    for ops in parts_of(on_cpu.program):
        if ops[0].name != "qkv":
            continue
        earlier = reference.context().trace(prompt(40), 0)
        part = Slice(on_cpu, ops)
        names = external_inputs(ops)
        part.run({name: earlier[name] for name in names}, prompt(40))
        part.run({name: truth[name] for name in names}, prompt(n_tokens), 40)
        assert distance(part.value(ops[-1].outputs[0], n_tokens), truth[ops[-1].outputs[0]]) <= 1e-4


def test_logits_are_those_of_the_reference_on_the_same_hidden_state(both: tuple[Loaded, Loaded]) -> None:
    on_cpu, reference = both
    tokens = prompt(5)
    truth = reference.context().trace(tokens, 0)
    (*_, op) = on_cpu.program.ops
    context = on_cpu.context((op,))
    context._native.write(context._compiler.place(op.inputs[0]), truth[op.inputs[0]])
    logits = context.run(tokens, 0, "all")
    assert distance(logits, truth[op.outputs[0]]) <= 1e-6


@pytest.mark.parametrize("name", ["tiny-gpt-oss", "tiny-qwen3moe"])
def test_attention_past_one_chunk_of_keys_computes_what_the_reference_computes(
    made: Made, kernels: str, name: str
) -> None:
    tokens, at = prompt(300), 280
    with (
        loaded(made(name), "cpu:0", kernels, n_ctx=320, ubatch=300, threads=2) as on_cpu,
        loaded(made(name), "reference-q8", n_ctx=320, ubatch=300) as reference,
    ):
        truth = reference.context().trace(tokens, 0)
        for ops in parts_of(on_cpu.program):
            if ops[0].name != "qkv":
                continue
            given = {name: truth[name] for name in external_inputs(ops[:2])}
            part = Slice(on_cpu, ops[:2])
            a = ops[1].outputs[0]
            part.run(given, tokens)
            assert distance(part.value(a, 300), truth[a]) <= 1e-5
            part.run({name: value[at:] for name, value in given.items()}, tokens[at:], at)
            assert distance(part.value(a, 20), truth[a][at:]) <= 1e-5


@pytest.mark.parametrize("name", MODELS)
def test_a_whole_models_logits_are_the_references_to_the_bit(made: Made, name: str) -> None:
    with loaded(made(name), "cpu:0") as on_cpu, loaded(made(name), "reference-q8") as reference:
        logits = on_cpu.context().run(prompt(33), 0, "all")
        np.testing.assert_array_equal(logits, reference.context().run(prompt(33), 0, "all"))
