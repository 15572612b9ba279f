"""Every operation on the emulated device against the q8 reference: ragged shapes, all schedules, the checker on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from closeness import distance
from cuda_bench import N_CTX, Bench, reference_of

from harness.core.cuda.emulator.device import EmulatedDevice, Schedule
from harness.core.cuda.sources import formats
from harness.core.program.op import Op
from harness.core.reference.state import Routing

TOLERANCE = {"attention": 1e-3, "embed": 0.0}
PRESETS = ("tiny-gpt-oss", "tiny-qwen3moe", "tiny-llama", "tiny-mixtral")
RUNS = [(1, 0), (7, 3), (9, 255), (1, 270)]
"""(tokens, position): one token, a ragged few, across a chunk of keys, and decoding in the second chunk."""

Device = Callable[..., EmulatedDevice]
Made = Callable[..., Path]


def check_all(bench: Bench, path: Path, n_tokens: int, position: int, **options: Any) -> set[str]:
    """Every operation of the program on the reference's inputs; returns the operations seen."""
    reference = reference_of(path, **options)
    tokens = np.random.default_rng(position).integers(0, bench.program.n_vocab, position + n_tokens).astype(np.int32)
    if position:
        reference.trace(tokens[:position], 0)
    values = reference.trace(tokens[position:], position)
    bench.upload_caches(reference, position)
    bench.upload_tokens(tokens[position:])
    for op in bench.program.ops:
        inputs = [values[name] for name in op.inputs]
        if op.name == "attention":  # the reference's keys, or an f16 rounded the other way would be charged to it
            bench.upload_caches(reference, position + n_tokens)
        check(op, bench.run_op(op, inputs, n_tokens, position), values[op.outputs[0]])
    return {op.name for op in bench.program.ops}


def check(op: Op, found: Any, expected: Any) -> None:
    if isinstance(expected, Routing):
        assert np.array_equal(found[0], expected.experts.ravel()), op
        found, expected = found[1], expected.weights
    tolerance = TOLERANCE.get(op.name, 1e-5)
    assert distance(found, np.ravel(expected)) <= tolerance, (op.name, op.layer, op.weights)


@pytest.mark.parametrize("schedule", list(Schedule))
@pytest.mark.parametrize("preset", PRESETS)
def test_every_operation_agrees_with_the_reference_under_every_schedule(
    preset: str, schedule: Schedule, device: Device, made: Made
) -> None:
    path = made(preset)
    bench = Bench(path, device(schedule, seed=3))
    for n_tokens, position in RUNS:
        assert position + n_tokens <= N_CTX
        seen = check_all(bench, path, n_tokens, position)
    assert {"embed", "rms_norm", "qkv", "attention", "attn_out", "logits"} < seen


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("path_kind", ["grouped", "per_expert"])
def test_every_way_through_the_experts_agrees_with_the_reference(
    merged: bool, fused: bool, path_kind: str, device: Device, made: Made
) -> None:
    path = made("tiny-gpt-oss")
    options = {"merge_up_gate": merged, "fused_moe": fused, "moe_path": path_kind}
    bench = Bench(path, device(), **options)
    check_all(bench, path, 5, 2, **options)


@pytest.mark.parametrize("name", sorted(formats()))
def test_every_format_agrees_with_the_reference_in_every_role(name: str, device: Device, made: Made) -> None:
    path = made("qwen3moe", {"default": name}, n_layer=1, n_embd=256, n_ff=256, n_vocab=331, n_expert=5, top_k=2)
    bench = Bench(path, device(Schedule.RANDOM, seed=1))
    check_all(bench, path, 3, 1)


def test_merging_and_the_path_through_the_experts_do_not_change_a_bit(made: Made, session: Callable[..., Any]) -> None:
    tokens = np.random.default_rng(1).integers(0, 300, 9)
    for fused in (True, False):
        ways = [
            session(made("tiny-gpt-oss"), "cuda-emulated:0", fused_moe=fused, merge_up_gate=merged, moe_path=path_kind)
            for merged in (False, True)
            for path_kind in ("grouped", "per_expert")
        ]
        first, *rest = [way.logits(tokens) for way in ways]
        assert all(np.array_equal(first, other) for other in rest)
