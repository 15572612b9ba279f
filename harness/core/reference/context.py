"""Interprets a program: looks each operation up by name, keeps values by name. The KV cache lives here."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import LogitsOf
from harness.core.errors import UnsupportedError
from harness.core.options import Options
from harness.core.program.op import OF_THE_HOST, Op, Program
from harness.core.reference import attention_ops, dense_ops, expert_ops
from harness.core.reference.arithmetic import F32
from harness.core.reference.products import Product
from harness.core.reference.state import KvCache, Routing, State, Step
from harness.core.reference.weights import Stored

OPS: Mapping[str, Callable[..., Any]] = {
    "embed": dense_ops.embed,
    "rms_norm": dense_ops.rms_norm,
    "qkv": attention_ops.qkv,
    "attention": attention_ops.attention,
    "attn_out": attention_ops.attn_out,
    "route": expert_ops.route,
    "moe_up_gate": expert_ops.moe_up_gate,
    "moe_down": expert_ops.moe_down,
    "ffn": dense_ops.ffn,
    "ffn_up_gate": dense_ops.ffn_up_gate,
    "logits": dense_ops.logits,
}

Values = dict[str, Any]


class ReferenceContext:
    """KV cache and expert counts of one stream of tokens."""

    def __init__(
        self, program: Program, options: Options, weights: Mapping[tuple[str, str], Stored], product: Product
    ) -> None:
        unknown = sorted({op.name for op in program.ops} - OPS.keys() - OF_THE_HOST)
        if unknown:
            raise UnsupportedError(f"operations {', '.join(unknown)} have no implementation in the reference")
        self._program = program
        self._weights = weights
        self._product = product
        self._rope = tuple(table.cos_sin(options.n_ctx) for table in program.rope_tables)
        self._kv = tuple(
            KvCache.empty(slot, options.n_ctx, options.type_k, options.type_v) for slot in program.kv_slots
        )
        self._counts = np.zeros(_counts_shape(program), np.int64)

    def run(self, tokens: NDArray[np.int32], position: int, logits_of: LogitsOf) -> F32 | None:
        """See `harness.core.backend.Context`."""
        values = self.trace(tokens, position, logits_of)
        logits: F32 | None = values.get(self._program.ops[-1].outputs[0])
        return logits

    def trace(
        self,
        tokens: NDArray[np.int32],
        position: int,
        logits_of: LogitsOf = "all",
        forced: Mapping[int, Routing] | None = None,
    ) -> Values:
        """As `run`, but returns every value by name; `act` values come decoded, float32 [T, top_k, n_ff].

        `forced` replaces the routing of a layer, so that two backends can be compared on equal experts.
        """
        state = self.state(tokens, position)
        values: Values = {}
        for op in self._program.ops:
            if op.name == "logits" and logits_of == "none":
                continue
            if op.name == "logits" and logits_of == "last":
                (h,) = op.inputs
                values[h] = values[h][-1:]
            if op.name == "route" and forced is not None and op.layer in forced:
                values[op.outputs[0]] = forced[op.layer]
                self._count(op.layer, forced[op.layer])
            else:
                self.run_op(op, state, values)
        return values

    def state(self, tokens: NDArray[np.int32], position: int) -> State:
        """What one ubatch knows."""
        return State(tokens, position, self._kv, self._rope, self._product)

    def run_op(self, op: Op, state: State, values: Values) -> None:
        """Add the output of one operation to `values`, which holds its inputs."""
        made = OPS[op.name](Step(op, self._weights_of(op), state), *(values[name] for name in op.inputs))
        values[op.outputs[0]] = made
        if op.name == "route":
            self._count(op.layer, made)

    @property
    def kv(self) -> tuple[KvCache, ...]:
        """The cache of every layer, for comparisons."""
        return self._kv

    def expert_counts(self) -> NDArray[np.int64]:
        """See `harness.core.backend.Context`."""
        return self._counts.copy()

    def close(self) -> None:
        """Nothing but memory is held."""
        self._kv = ()

    def _weights_of(self, op: Op) -> dict[str, Stored]:
        return {role: self._weights[name, op.device] for role, name in op.weights.items()}

    def _count(self, layer: int, routing: Routing) -> None:
        self._counts[layer] += np.bincount(routing.experts.ravel(), minlength=self._counts.shape[1])


def _counts_shape(program: Program) -> tuple[int, int]:
    n_layer = 1 + max((op.layer for op in program.ops), default=-1)
    n_expert = max((int(op.params["n_expert"]) for op in program.ops if op.name == "route"), default=0)
    return n_layer, n_expert
