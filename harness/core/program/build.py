"""`forward` of a model, run once per plan: the operations of one ubatch, in order.

It reads like the model's formulas. What a split mode changes is made from this program by rewriting it.
"""

from collections.abc import Mapping
from itertools import count

from harness.core.models.recipe import AttentionPart, DensePart, ExpertsPart, Layer, Model
from harness.core.plan.groups import Group, layer_groups
from harness.core.plan.merges import merged_in
from harness.core.plan.types import Plan
from harness.core.program.op import KvSlot, Op, Param, Program, Value, ValueKind

_Groups = Mapping[str, tuple[Group, ...]]


def build_program(model: Model, plan: Plan) -> Program:
    """The program of a plan without splits: every operation of layer i on `plan.layer_devices[i]`."""
    builder = _Builder(model, plan)
    builder.forward()
    return Program(
        ops=tuple(builder.ops),
        values=tuple(builder.values),
        kv_slots=tuple(builder.kv_slots),
        rope_tables=model.recipe.rope_tables,
        n_embd=model.n_embd,
        n_vocab=model.n_vocab,
    )


class _Builder:
    """Collects ops, values and KV slots while `forward` runs."""

    def __init__(self, model: Model, plan: Plan) -> None:
        self.ops: list[Op] = []
        self.values: list[Value] = []
        self.kv_slots: list[KvSlot] = []
        self._model = model
        self._plan = plan
        self._numbers = count()
        self._device = plan.layer_devices[0][0]
        self._layer = -1

    def forward(self) -> None:
        """Embedding, layers, output norm, logits."""
        recipe = self._model.recipe
        x = self._emit("embed", (), self._model.n_embd, {"table": recipe.embedding.name})
        for index, devices in enumerate(self._plan.layer_devices):
            self._layer, self._device = index, devices[0]
            x = self._layer_forward(x, recipe.layers[index], index)
        self._layer = -1
        h = self._norm(x, {"norm": recipe.output_norm.name})
        self._emit("logits", (h,), self._model.n_vocab, {"output": recipe.output.name}, kind="logits")

    def _layer_forward(self, x: str, layer: Layer, index: int) -> str:
        groups = layer_groups(layer, index, merged_in(self._plan.merges, index))
        x = self._attention(x, layer.attention, groups)
        h = self._norm(x, _names(groups["ffn_norm"]))
        if isinstance(layer.feed_forward, DensePart):
            return self._ffn(h, x, layer.feed_forward, groups)
        return self._experts(h, x, layer.feed_forward, groups)

    def _attention(self, x: str, part: AttentionPart, groups: _Groups) -> str:
        heads: dict[str, Param] = {
            "slot": len(self.kv_slots),
            "n_head": part.n_head,
            "n_head_kv": part.n_head_kv,
            "head_dim": part.head_dim,
            "head_dim_v": part.head_dim_v,
        }
        self.kv_slots.append(KvSlot(self._device, part.n_head_kv, part.head_dim, part.head_dim_v, part.window))
        rotation: dict[str, Param] = {"eps": self._model.recipe.eps, "rope": part.rope, "rope_table": part.rope_table}
        h = self._norm(x, _names(groups["attn_norm"]))
        q = self._emit("qkv", (h,), part.n_head * part.head_dim, _names(groups["qkv"]), heads | rotation)
        seen: dict[str, Param] = {"scale": part.scale, "window": part.window}
        a = self._emit("attention", (q,), part.n_head * part.head_dim_v, _names(groups["attention"]), heads | seen)
        return self._emit("attn_out", (a, x), self._model.n_embd, _names(groups["attn_out"]))

    def _ffn(self, h: str, x: str, part: DensePart, groups: _Groups) -> str:
        params: dict[str, Param] = {"n_ff": part.n_ff, "activation": part.activation}
        return self._emit("ffn", (h, x), self._model.n_embd, _names(groups["ffn"]), params)

    def _experts(self, h: str, x: str, part: ExpertsPart, groups: _Groups) -> str:
        routes: dict[str, Param] = {
            "n_expert": part.n_expert,
            "top_k": part.top_k,
            "gating": part.gating,
            "renorm": part.renorm,
            "weight_scale": part.weight_scale,
        }
        extent: dict[str, Param] = {"n_ff": part.n_ff, "n_expert": part.n_expert, "top_k": part.top_k}
        how: dict[str, Param] = {
            "activation": part.activation,
            "fused": self._plan.options.fused_moe,
            "path": self._plan.options.moe_path,
        }
        routing = self._emit("route", (h,), part.top_k, _names(groups["route"]), routes, kind="routing")
        columns = part.top_k * part.n_ff
        act = self._emit("moe_up_gate", (h, routing), columns, _names(groups["moe_up_gate"]), extent | how, kind="act")
        return self._emit("moe_down", (act, routing, x), self._model.n_embd, _names(groups["moe_down"]), extent)

    def _norm(self, x: str, weights: Mapping[str, str]) -> str:
        return self._emit("rms_norm", (x,), self._model.n_embd, weights, {"eps": self._model.recipe.eps})

    def _emit(
        self,
        name: str,
        inputs: tuple[str, ...],
        columns: int,
        weights: Mapping[str, str],
        params: Mapping[str, Param] | None = None,
        *,
        kind: ValueKind = "f32",
    ) -> str:
        output = f"{name}.{next(self._numbers)}"
        self.values.append(Value(output, kind, columns, self._device))
        self.ops.append(Op(name, self._device, inputs, (output,), weights, params or {}, self._layer))
        return output


def _names(groups: tuple[Group, ...]) -> dict[str, str]:
    return {group.role: group.name for group in groups}
