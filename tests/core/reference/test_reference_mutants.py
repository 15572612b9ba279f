"""Each of these mistakes must exceed the tolerances, or the tolerances would prove nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from closeness import median_distance
from numpy.typing import NDArray

from harness.core.options import Options
from harness.core.program.op import Op, Program, RopeTable
from harness.core.reference import ReferenceBackend
from harness.core.reference.weights import Stored
from harness.core.session import Session

AGAINST_Q8 = 1e-4
AGAINST_FLOAT = 3e-2
TOKENS = np.random.default_rng(5).integers(0, 331, 40).tolist()

Logits = NDArray[np.float32]
Mutation = Callable[[Session, ReferenceBackend], Program]


def change_ops(program: Program, name: str, change: Callable[[Op], Op]) -> Program:
    return replace(program, ops=tuple(change(op) if op.name == name else op for op in program.ops))


def drop_role(name: str, role: str) -> Mutation:
    def mutate(session: Session, _backend: ReferenceBackend) -> Program:
        assert role in next(op for op in session.program.ops if op.name == name).weights
        return change_ops(
            session.program, name, lambda op: replace(op, weights={k: v for k, v in op.weights.items() if k != role})
        )

    return mutate


def swap_gate_and_up(session: Session, _backend: ReferenceBackend) -> Program:
    other = {"gate": "up", "up": "gate", "gate_bias": "up_bias", "up_bias": "gate_bias"}
    return change_ops(
        session.program, "moe_up_gate", lambda op: replace(op, weights={other[k]: v for k, v in op.weights.items()})
    )


def widen_the_window(session: Session, _backend: ReferenceBackend) -> Program:
    def change(op: Op) -> Op:
        window = int(op.params["window"])
        return replace(op, params={**op.params, "window": window + 1 if window else 0})

    return change_ops(session.program, "attention", change)


def use_another_base(session: Session, _backend: ReferenceBackend) -> Program:
    table = session.program.rope_tables[0]
    n_rot = 2 * len(table.frequencies)
    wrong = 10000.0 ** (-np.arange(0, n_rot, 2) / n_rot)
    return replace(session.program, rope_tables=(RopeTable(wrong, table.magnitude),))


def forget_the_magnitude(session: Session, _backend: ReferenceBackend) -> Program:
    return replace(session.program, rope_tables=(RopeTable(session.program.rope_tables[0].frequencies, 1.0),))


def shift_the_experts(session: Session, backend: ReferenceBackend) -> Program:
    _roll(backend, "blk.0.ffn_down_exps.weight", lambda stored: np.roll(stored.data, stored.rows, axis=0))
    return session.program


def shift_the_scales(session: Session, backend: ReferenceBackend) -> Program:
    """The scale byte of each MXFP4 block comes from the block before."""

    def shifted(stored: Stored) -> NDArray[np.uint8]:
        blocks = stored.data.reshape(len(stored.data), -1, 17).copy()
        blocks[..., 0] = np.roll(blocks[..., 0], 1, axis=1)
        return blocks.reshape(stored.data.shape)

    _roll(backend, "blk.0.ffn_gate_exps.weight", shifted)
    return session.program


def _roll(backend: ReferenceBackend, name: str, change: Callable[[Stored], NDArray[np.uint8]]) -> None:
    stored = backend._weights[name, "reference-q8"]
    backend._weights[name, "reference-q8"] = replace(stored, data=change(stored), decoded={})


MUTANTS: dict[str, Mutation] = {
    "scale off by one block": shift_the_scales,
    "expert bias lost": drop_role("moe_up_gate", "gate_bias"),
    "down bias lost": drop_role("moe_down", "down_bias"),
    "router bias lost": drop_role("route", "router_bias"),
    "attention bias lost": drop_role("qkv", "k_bias"),
    "gate and up swapped": swap_gate_and_up,
    "window off by one": widen_the_window,
    "sink dropped": drop_role("attention", "sinks"),
    "rotary base wrong": use_another_base,
    "magnitude of YaRN forgotten": forget_the_magnitude,
    "experts shifted by one": shift_the_experts,
}


def logits_of(session: Session, mutation: Mutation | None) -> Logits:
    """Logits of a fresh context, with the routing of the whole model forced, so that mistakes cannot hide in it."""
    backend = session._backend
    assert isinstance(backend, ReferenceBackend)
    options = Options(devices=("reference-q8",), n_ctx=64)
    tokens = np.asarray(TOKENS, np.int32)
    program = session.program
    whole = backend.context(program, options).trace(tokens, 0)
    if mutation is None:
        return np.asarray(whole[program.ops[-1].outputs[0]])
    routes = {op.layer: whole[op.outputs[0]] for op in program.ops if op.name == "route"}
    mutant = mutation(session, backend)
    forced = None if mutation is MUTANTS["router bias lost"] else routes
    return np.asarray(backend.context(mutant, options).trace(tokens, 0, forced=forced)[mutant.ops[-1].outputs[0]])


@pytest.mark.parametrize("name", list(MUTANTS))
def test_a_mutant_is_outside_every_tolerance(made: Any, session: Callable[..., Session], name: str) -> None:
    opened = session(made("tiny-gpt-oss"))
    whole = logits_of(opened, None)
    assert median_distance(logits_of(opened, MUTANTS[name]), whole) > max(AGAINST_Q8, AGAINST_FLOAT)


def test_forcing_the_routing_a_model_has_anyway_changes_nothing(made: Any, session: Callable[..., Session]) -> None:
    opened = session(made("tiny-gpt-oss"))
    np.testing.assert_array_equal(logits_of(opened, lambda s, _b: s.program), logits_of(opened, None))
