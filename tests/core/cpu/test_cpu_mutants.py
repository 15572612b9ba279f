"""Mistakes planted in a model on the CPU: each must be outside the tolerance that its whole model is held to.

Routing is not forced, so a mistake may show in the experts that tokens go to as well.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from closeness import median_distance
from cpu_lab import Floats, Loaded, loaded
from numpy.typing import NDArray

from harness.core.cpu import CpuBackend
from harness.core.gguf import open_gguf
from harness.core.program.op import Op, Program, RopeTable

Made = Callable[..., Path]
TOLERANCE = 0.1  # of the widest comparison that whole models are held to, that with peers
TOKENS: NDArray[np.int32] = np.random.default_rng(5).integers(0, 331, 40).astype(np.int32)
PRESET = "tiny-gpt-oss"

Rewrite = Callable[[Program], Program]
Damage = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def change(program: Program, name: str, changed: Callable[[Op], Op]) -> Program:
    return replace(program, ops=tuple(changed(op) if op.name == name else op for op in program.ops))


def without(name: str, *roles: str) -> Rewrite:
    def dropped(op: Op) -> Op:
        assert set(roles) <= set(op.weights)
        return replace(op, weights={role: tensor for role, tensor in op.weights.items() if role not in roles})

    return lambda program: change(program, name, dropped)


def swapped(program: Program) -> Program:
    other = {"gate": "up", "up": "gate", "gate_bias": "up_bias", "up_bias": "gate_bias"}
    return change(program, "moe_up_gate", lambda op: replace(op, weights={other[r]: t for r, t in op.weights.items()}))


def wider(program: Program) -> Program:
    slots = (replace(slot, window=slot.window + 1 if slot.window else 0) for slot in program.kv_slots)
    return replace(program, kv_slots=tuple(slots))


def another_base(program: Program) -> Program:
    (table,) = program.rope_tables
    n_rot = 2 * len(table.frequencies)
    return replace(program, rope_tables=(RopeTable(10000.0 ** (-np.arange(0, n_rot, 2) / n_rot), table.magnitude),))


def without_magnitude(program: Program) -> Program:
    return replace(program, rope_tables=(RopeTable(program.rope_tables[0].frequencies, 1.0),))


REWRITES: Mapping[str, Rewrite] = {
    "expert biases lost": without("moe_up_gate", "gate_bias", "up_bias"),
    "down bias lost": without("moe_down", "down_bias"),
    "router bias lost": without("route", "router_bias"),
    "attention bias lost": without("qkv", "k_bias"),
    "gate and up swapped": swapped,
    "window off by one": wider,
    "sink dropped": without("attention", "sinks"),
    "rotary base wrong": another_base,
    "magnitude of YaRN forgotten": without_magnitude,
}


def scales_from_the_block_before(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """MXFP4: the first of 17 bytes."""
    blocks = rows.reshape(len(rows), -1, 17).copy()
    blocks[..., 0] = np.roll(blocks[..., 0], 1, axis=1)
    return blocks.reshape(rows.shape)


def shifted_by_an_expert(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.roll(rows, len(rows) // 8, axis=0)


@dataclass(frozen=True)
class Damaged:
    """`change` befalls the rows of `tensor`."""

    tensor: str
    change: Damage


DAMAGES: Mapping[str, Damaged] = {
    "scale off by one block": Damaged("blk.0.ffn_gate_exps.weight", scales_from_the_block_before),
    "expert index shifted": Damaged("blk.0.ffn_down_exps.weight", shifted_by_an_expert),
}


@pytest.fixture(scope="module")
def truth(made: Made) -> Floats:
    with loaded(made(PRESET), "reference-q8") as reference:
        logits: Floats = reference.context().run(TOKENS, 0, "all")
        return logits


@pytest.fixture
def on_cpu(made: Made) -> Any:
    with loaded(made(PRESET), "cpu:0", threads=1) as opened:
        yield opened


def logits_of(on_cpu: Loaded, program: Program) -> Floats:
    logits: Floats = on_cpu.backend.context(program, on_cpu.options).run(TOKENS, 0, "all")
    return logits


def test_the_model_as_it_is_is_the_references(on_cpu: Loaded, truth: Floats) -> None:
    assert median_distance(logits_of(on_cpu, on_cpu.program), truth) < 1e-4


@pytest.mark.parametrize("name", REWRITES)
def test_a_program_with_a_mistake_is_outside_the_tolerance(on_cpu: Loaded, truth: Floats, name: str) -> None:
    assert median_distance(logits_of(on_cpu, REWRITES[name](on_cpu.program)), truth) > TOLERANCE


@pytest.mark.parametrize("name", DAMAGES)
def test_weights_with_a_mistake_are_outside_the_tolerance(made: Made, on_cpu: Loaded, truth: Floats, name: str) -> None:
    damaged = DAMAGES[name]
    assert isinstance(on_cpu.backend, CpuBackend)
    with open_gguf(made(PRESET)) as file:
        rows = np.array(file.read(damaged.tensor))
    (stored,) = (tensor for tensor in on_cpu.plan.tensors if tensor.name == damaged.tensor)
    on_cpu.backend.place(stored, 0, damaged.change(rows.reshape(-1, stored.row_bytes)))
    assert median_distance(logits_of(on_cpu, on_cpu.program), truth) > TOLERANCE
