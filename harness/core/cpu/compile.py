"""Turns a program into native operations, one native call per op; what an op means is said in op.py and nowhere else.

Every op of a program is handed over with its weights, so a context never asks Python anything while it runs.
"""

from collections.abc import Callable, Mapping
from typing import Any

from harness.core.cpu.buffers import Buffers
from harness.core.cpu.native_module import native
from harness.core.errors import UnsupportedError
from harness.core.options import Options
from harness.core.program.op import Op, Program
from harness.core.program.segments import Script, Segment

Matrices = Mapping[tuple[str, str], Any]
Place = tuple[int, int]


class Compiler:
    """Adds a program's operations to a native context, in order."""

    def __init__(self, context: Any, program: Program, buffers: Buffers, matrices: Matrices, options: Options) -> None:
        self._context = context
        self._matrices = matrices
        self._buffers = buffers
        self._columns = {value.name: value.columns for value in program.values}
        self._handles: dict[str, int] = {}
        self.routed_layers: list[int] = []
        for slot in program.kv_slots:
            context.add_cache(
                slot.n_head_kv, slot.head_dim, slot.head_dim_v, slot.window, options.type_k, options.type_v
            )
        for table in program.rope_tables:
            context.add_rope(*table.cos_sin(options.n_ctx))

    def add(self, op: Op) -> None:
        """Errors: UnsupportedError for an op this backend does not have."""
        adders: Mapping[str, Callable[[Op], None]] = {
            "embed": self._embed,
            "rms_norm": self._rms_norm,
            "qkv": self._qkv,
            "attention": self._attention,
            "attn_out": self._attn_out,
            "route": self._route,
            "moe_up_gate": self._moe_up_gate,
            "moe_down": self._moe_down,
            "ffn": self._ffn,
            "ffn_up_gate": self._ffn_up_gate,
            "logits": self._logits,
        }
        if op.name not in adders:
            raise UnsupportedError(f"the CPU backend has no operation {op.name}")
        adders[op.name](op)

    def add_script(self, script: Script) -> None:
        """The operations of all segments, and room for activations that other devices make. Errors: as `add`."""
        kinds = {value.name: value.kind for value in script.program.values}
        for step in script.steps:
            if isinstance(step, Segment):
                for op in step.ops:
                    self.add(op)
            elif kinds[output := step.op.outputs[0]] == "act":
                self._handles[output] = self._context.act_from_outside(self.place(output))

    def handle(self, name: str) -> int:
        """What the native part calls a routing, or activations of experts."""
        return self._handles[name]

    def place(self, name: str) -> Place:
        """Where a value lies, and its columns."""
        return self._buffers.of[name], self._columns[name]

    def _weight(self, op: Op, role: str) -> Any:
        return self._matrices[op.weights[role], op.device] if role in op.weights else None

    def _residual(self, op: Op, position: int) -> Place | None:
        return self.place(op.inputs[position]) if len(op.inputs) > position else None

    def _embed(self, op: Op) -> None:
        self._context.embed(table=self._weight(op, "table"), x=self.place(op.outputs[0]))

    def _rms_norm(self, op: Op) -> None:
        x, y = self.place(op.inputs[0]), self.place(op.outputs[0])
        self._context.rms_norm(norm=self._weight(op, "norm"), eps=op.params["eps"], x=x, y=y)

    def _qkv(self, op: Op) -> None:
        roles = [role for role in ("qkv", "qk", "q", "k", "v") if role in op.weights]
        self._context.qkv(
            projections=[(self._weight(op, role), self._weight(op, f"{role}_bias")) for role in roles],
            q_norm=self._weight(op, "q_norm"),
            k_norm=self._weight(op, "k_norm"),
            slot=op.params["slot"],
            n_head=op.params["n_head"],
            eps=op.params["eps"],
            rope=op.params["rope"],
            rope_table=op.params["rope_table"],
            h=self.place(op.inputs[0]),
            q=self.place(op.outputs[0]),
        )

    def _attention(self, op: Op) -> None:
        self._context.attention(
            sinks=self._weight(op, "sinks"),
            slot=op.params["slot"],
            n_head=op.params["n_head"],
            scale=op.params["scale"],
            rounds=op.params["flash"],
            q=self.place(op.inputs[0]),
            a=self.place(op.outputs[0]),
        )

    def _attn_out(self, op: Op) -> None:
        self._context.linear(
            weight=self._weight(op, "o"),
            bias=self._weight(op, "o_bias"),
            x=self.place(op.inputs[0]),
            residual=self._residual(op, 1),
            y=self.place(op.outputs[0]),
        )

    def _route(self, op: Op) -> None:
        self._handles[op.outputs[0]] = self._context.route(
            router=self._weight(op, "router"),
            bias=self._weight(op, "router_bias"),
            top_k=op.params["top_k"],
            gating=op.params["gating"],
            renorm=op.params["renorm"],
            weight_scale=op.params["weight_scale"],
            h=self.place(op.inputs[0]),
        )
        self.routed_layers.append(op.layer)

    def _moe_up_gate(self, op: Op) -> None:
        merged = "gate_up" in op.weights
        self._handles[op.outputs[0]] = self._context.moe_up_gate(
            gate=self._weight(op, "gate_up" if merged else "gate"),
            up=self._weight(op, "up"),
            gate_bias=self._weight(op, "gate_up_bias" if merged else "gate_bias"),
            up_bias=self._weight(op, "up_bias"),
            params=self._feed_forward(op),
            h=self.place(op.inputs[0]),
            routing=self._handles[op.inputs[1]],
            act=self.place(op.outputs[0]),
        )

    def _moe_down(self, op: Op) -> None:
        self._context.moe_down(
            down=self._weight(op, "down"),
            bias=self._weight(op, "down_bias"),
            params=self._feed_forward(op),
            act=self._handles[op.inputs[0]],
            routing=self._handles[op.inputs[1]],
            x=self._residual(op, 2),
            y=self.place(op.outputs[0]),
        )

    def _ffn(self, op: Op) -> None:
        merged = "gate_up" in op.weights
        self._context.ffn(
            gate=self._weight(op, "gate_up" if merged else "gate"),
            up=self._weight(op, "up"),
            down=self._weight(op, "down"),
            params=self._feed_forward(op),
            h=self.place(op.inputs[0]),
            x=self._residual(op, 1),
            y=self.place(op.outputs[0]),
        )

    def _ffn_up_gate(self, op: Op) -> None:
        merged = "gate_up" in op.weights
        self._context.ffn_up_gate(
            gate=self._weight(op, "gate_up" if merged else "gate"),
            up=self._weight(op, "up"),
            params=self._feed_forward(op),
            h=self.place(op.inputs[0]),
            y=self.place(op.outputs[0]),
        )

    def _logits(self, op: Op) -> None:
        self._context.logits(output=self._weight(op, "output"), h=self.place(op.inputs[0]))

    def _feed_forward(self, op: Op) -> Any:
        """Params of experts; a dense part is one expert that every token goes to, moe_down has no activation."""
        params = op.params
        return native().FeedForwardParams(
            n_expert=params.get("n_expert", 1),
            top_k=params.get("top_k", 1),
            n_ff=params["n_ff"],
            activation=params.get("activation", "swiglu"),
            fused=params.get("fused", True),
            per_expert=params.get("path", "grouped") == "per_expert",
        )
