"""Single operations of a layer on one device, for all of its heads and columns or for a share of them."""

from collections.abc import Mapping

from harness.core.models.recipe import AttentionPart, DensePart, ExpertsPart, Model
from harness.core.options import Options
from harness.core.plan.groups import Group
from harness.core.program.op import KvSlot, Param
from harness.core.program.tape import Tape

Groups = Mapping[str, tuple[Group, ...]]


class Parts:
    """Writes operations to a tape; every method returns the name of the value it makes."""

    def __init__(self, tape: Tape, model: Model, options: Options) -> None:
        self.tape = tape
        self.wire = options.reduce_type
        self.n_embd = model.n_embd
        self._model = model
        self._flash = options.flash_attn
        self._how: dict[str, Param] = {"fused": options.fused_moe, "path": options.moe_path}

    def norm(self, device: str, x: str, groups: tuple[Group, ...]) -> str:
        weights, eps = self.tape.weights(groups, device), self._model.recipe.eps
        return self.tape.emit("rms_norm", device, (x,), self.n_embd, weights, {"eps": eps})

    def attention(self, device: str, h: str, part: AttentionPart, groups: Groups, n_head_kv: int) -> str:
        """Q, K and V, then attention, for so many KV heads and the query heads that share them."""
        n_head = n_head_kv * (part.n_head // part.n_head_kv)
        slot = KvSlot(device, n_head_kv, part.head_dim, part.head_dim_v, part.window)
        heads: dict[str, Param] = {
            "slot": self.tape.add_slot(slot),
            "n_head": n_head,
            "n_head_kv": n_head_kv,
            "head_dim": part.head_dim,
            "head_dim_v": part.head_dim_v,
        }
        rotation: dict[str, Param] = {"eps": self._model.recipe.eps, "rope": part.rope, "rope_table": part.rope_table}
        weights = self.tape.weights(groups["qkv"], device)
        q = self.tape.emit("qkv", device, (h,), n_head * part.head_dim, weights, heads | rotation)
        seen: dict[str, Param] = {"scale": part.scale, "window": part.window, "flash": self._flash}
        weights = self.tape.weights(groups["attention"], device)
        return self.tape.emit("attention", device, (q,), n_head * part.head_dim_v, weights, heads | seen)

    def attn_out(self, device: str, a: str, groups: Groups, x: str | None = None, columns: int = 0) -> str:
        weights = self.tape.weights(groups["attn_out"], device)
        return self.tape.emit("attn_out", device, _present(a, x), columns or self.n_embd, weights)

    def feed_forward(self, device: str, x: str, part: DensePart | ExpertsPart, groups: Groups) -> str:
        """A whole feed-forward part on one device: norm, then the dense product or routed experts, and the residual."""
        h = self.norm(device, x, groups["ffn_norm"])
        if isinstance(part, DensePart):
            return self.ffn(device, h, part, groups, part.n_ff, x)
        routing = self.route(device, h, part, groups)
        act = self.moe_up_gate(device, h, routing, part, groups, part.n_ff)
        return self.moe_down(device, act, routing, part, groups, part.n_ff, x)

    def ffn(self, device: str, h: str, part: DensePart, groups: Groups, n_ff: int, x: str | None = None) -> str:
        params: dict[str, Param] = {"n_ff": n_ff, "activation": part.activation}
        weights = self.tape.weights(groups["ffn"], device)
        return self.tape.emit("ffn", device, _present(h, x), self.n_embd, weights, params)

    def ffn_up_gate(self, device: str, h: str, part: DensePart, groups: Groups, n_ff: int) -> str:
        params: dict[str, Param] = {"n_ff": n_ff, "activation": part.activation}
        first = tuple(group for group in groups["ffn"] if group.role != "down")
        return self.tape.emit("ffn_up_gate", device, (h,), n_ff, self.tape.weights(first, device), params)

    def ffn_down(self, device: str, act: str, groups: Groups, columns: int) -> str:
        """The second product of a dense part is a product like that after attention."""
        (down,) = (group.name for group in groups["ffn"] if group.role == "down")
        return self.tape.emit("attn_out", device, (act,), columns, {"o": down})

    def route(self, device: str, h: str, part: ExpertsPart, groups: Groups) -> str:
        params: dict[str, Param] = {
            "n_expert": part.n_expert,
            "top_k": part.top_k,
            "gating": part.gating,
            "renorm": part.renorm,
            "weight_scale": part.weight_scale,
        }
        weights = self.tape.weights(groups["route"], device)
        return self.tape.emit("route", device, (h,), part.top_k, weights, params, kind="routing")

    def moe_up_gate(self, device: str, h: str, routing: str, part: ExpertsPart, groups: Groups, n_ff: int) -> str:
        params = _extent(part, n_ff) | {"activation": part.activation} | self._how
        weights = self.tape.weights(groups["moe_up_gate"], device)
        columns = part.top_k * n_ff
        return self.tape.emit("moe_up_gate", device, (h, routing), columns, weights, params, kind="act")

    def moe_down(
        self,
        device: str,
        act: str,
        routing: str,
        part: ExpertsPart,
        groups: Groups,
        n_ff: int,
        x: str | None = None,
        columns: int = 0,
    ) -> str:
        weights = self.tape.weights(groups["moe_down"], device)
        inputs = _present(act, routing, x)
        return self.tape.emit("moe_down", device, inputs, columns or self.n_embd, weights, _extent(part, n_ff))


def _extent(part: ExpertsPart, n_ff: int) -> dict[str, Param]:
    return {"n_ff": n_ff, "n_expert": part.n_expert, "top_k": part.top_k}


def _present(*names: str | None) -> tuple[str, ...]:
    return tuple(name for name in names if name is not None)
