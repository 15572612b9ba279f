"""One model on the CPU backend and on the reference, for tests that compare them op by op on equal inputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cpu import CpuBackend
from harness.core.cpu.context import CpuContext
from harness.core.gguf import open_gguf
from harness.core.loader import load_weights
from harness.core.models import read_model
from harness.core.options import Options
from harness.core.plan import Plan, make_plan
from harness.core.program.build import build_program
from harness.core.program.op import Op, Program
from harness.core.reference import ReferenceBackend
from harness.core.reference.context import OPS, ReferenceContext
from harness.core.reference.state import Routing, State, Step

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Loaded:
    """A model's program and a backend that holds its weights."""

    program: Program
    options: Options
    backend: Any
    plan: Plan

    def context(self, ops: tuple[Op, ...] = ()) -> Any:
        """A fresh context of the whole program, or of some of its ops."""
        program = replace(self.program, ops=ops) if ops else self.program
        return self.backend.context(program, self.options)


@contextmanager
def loaded(path: Path, device: str, kernels: str = "", **options: Any) -> Iterator[Loaded]:
    """The model on `device`; on the CPU with the kernels named."""
    chosen = Options(devices=(device,), **({"ubatch": 64, "n_ctx": 128} | options))
    with open_gguf(path) as file:
        model = read_model(file)
        plan = make_plan(model, chosen)
        backend: Any = ReferenceBackend(device) if device.startswith("reference") else CpuBackend(chosen, kernels)
        load_weights(plan, file, backend)
        yield Loaded(build_program(model, plan), chosen, backend, plan)
        backend.close()


class Slice:
    """Some ops of a program on the CPU, with their inputs given."""

    def __init__(self, on_cpu: Loaded, ops: tuple[Op, ...]) -> None:
        self._context: CpuContext = on_cpu.context(ops)
        self._ops = ops

    def run(self, inputs: dict[str, Floats], tokens: NDArray[np.int32], position: int = 0) -> None:
        for name, value in inputs.items():
            self._context._native.write(self._context._compiler.place(name), np.ascontiguousarray(value))
        self._context.run(tokens, position, "all")

    def value(self, name: str, n_tokens: int) -> Floats:
        place = self._context._compiler.place(name)
        out = np.empty((n_tokens, place[1]), np.float32)
        self._context._native.read(place, out)
        return out

    def routing(self, name: str, n_tokens: int, top_k: int) -> Routing:
        experts, weights = self._context._native.routed(self._context._compiler._handles[name])
        shape, n = (n_tokens, top_k), n_tokens * top_k
        return Routing(np.array(experts[:n], np.int32).reshape(shape), np.array(weights[:n], np.float32).reshape(shape))

    def act(self, name: str, routing: str, n_tokens: int, op: Op) -> Floats:
        """float32 [T, top_k, n_ff] of a moe_up_gate's output."""
        top_k, n_ff = int(op.params["top_k"]), int(op.params["n_ff"])
        out = np.empty((n_tokens * top_k, n_ff), np.float32)
        handles = self._context._compiler._handles
        self._context._native.read_act(handles[name], handles[routing], out)
        return out.reshape(n_tokens, top_k, n_ff)


def reference_op(context: ReferenceContext, op: Op, tokens: NDArray[np.int32], position: int, *inputs: Any) -> Any:
    """One op of the reference on inputs of our choice."""
    state = State(tokens, position, context._kv, context._rope, context._product)
    there = replace(op, device="reference-q8")
    return OPS[op.name](Step(there, context._weights_of(there), state), *inputs)


def parts_of(program: Program) -> Iterator[tuple[Op, ...]]:
    """The program cut where values are few: norms alone, attention's three ops, the feed-forward's one or three."""
    ops = list(program.ops)
    while ops:
        n = {"qkv": 3, "route": 3}.get(ops[0].name, 1)
        yield tuple(ops[:n])
        del ops[:n]


def external_inputs(ops: tuple[Op, ...]) -> set[str]:
    made = {name for op in ops for name in op.outputs}
    return {name for op in ops for name in op.inputs} - made
