"""Which weights are stored as one tensor, for every operation of a layer.

Plan and program both ask here, so a role in an `Op` and a name in the plan cannot disagree. With a merge a group's
weights are stored slice by slice: expert e of the tensor is gate[e]'s rows, then up[e]'s.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from harness.core.models.recipe import AttentionPart, DensePart, ExpertsPart, GateUp, Layer, Linear, Model, Weight
from harness.core.plan.placement import Placement

ATTENTION_STEPS = frozenset({"attn_norm", "qkv", "attention", "attn_out"})
"""Steps of the attention part; the others belong to the feed-forward part."""

Merged = Callable[[str], bool]
"""Whether the merge of that kind is done in the layer at hand."""


@dataclass(frozen=True)
class Group:
    """`weights` are stored as the one tensor `name`, which an operation knows as `role`."""

    role: str
    name: str
    weights: tuple[Weight, ...]


def layer_groups(layer: Layer, index: int, merged: Merged) -> Mapping[str, tuple[Group, ...]]:
    """Groups by the step of the layer that uses them: attn_norm, qkv, attention, attn_out, ffn_norm, then the rest."""
    part, forward = layer.attention, layer.feed_forward
    groups = {
        "attn_norm": (_single("norm", part.norm),),
        "qkv": (*_qkv(part, index, merged("qkv")), *_named(q_norm=part.q_norm, k_norm=part.k_norm)),
        "attention": _named(sinks=part.sinks),
        "attn_out": _linear("o", part.out),
        "ffn_norm": (_single("norm", forward.norm),),
    }
    if isinstance(forward, DensePart):
        gate_up = _gate_up(forward.gate_up, f"blk.{index}.ffn_gate_up", merged=merged("up_gate_shared"))
        return groups | {"ffn": (*gate_up, *_linear("down", forward.down))}
    return groups | _experts(forward, index, merged=merged("up_gate"))


def head_name(model: Model, placement: Placement) -> str:
    """The output's name. A table that is the output too needs another one where the output is cut into shares."""
    recipe, whole = model.recipe, placement.head.how == "whole"
    tied = recipe.output.name == recipe.embedding.name
    return "output.weight" if tied and not whole else recipe.output.name


def _experts(part: ExpertsPart, index: int, *, merged: bool) -> dict[str, tuple[Group, ...]]:
    return {
        "route": _linear("router", part.router),
        "moe_up_gate": _gate_up(part.gate_up, f"blk.{index}.ffn_gate_up_exps", merged=merged),
        "moe_down": _linear("down", part.down),
    }


def merged_projections(part: AttentionPart) -> str:
    """What `merge_qkv` makes of this layer: "qkv", "qk" (V is of another format), or "" where nothing fits."""
    q, k, v = part.qkv.q, part.qkv.k, part.qkv.v
    if not _same_kind(q, k):
        return ""
    return "qkv" if _same_kind(k, v) else "qk"


def mergeable(gate_up: GateUp) -> bool:
    """Whether gate and up are of one format, and both or neither have a bias."""
    return _same_kind(gate_up.gate, gate_up.up)


def _same_kind(left: Linear, right: Linear) -> bool:
    return left.weight.format == right.weight.format and (left.bias is None) == (right.bias is None)


def _qkv(part: AttentionPart, index: int, merged: bool) -> tuple[Group, ...]:
    by_letter = {"q": part.qkv.q, "k": part.qkv.k, "v": part.qkv.v}
    joint = (merged_projections(part) if merged else "") or "q"
    stems = [joint, *(letter for letter in "qkv" if letter not in joint)]
    return tuple(
        group
        for stem in stems
        for group in _joint(stem, f"blk.{index}.attn_{stem}", tuple(by_letter[letter] for letter in stem))
    )


def _gate_up(gate_up: GateUp, stem: str, *, merged: bool) -> tuple[Group, ...]:
    if merged:
        return tuple(_joint("gate_up", stem, (gate_up.gate, gate_up.up)))
    return (*_linear("gate", gate_up.gate), *_linear("up", gate_up.up))


def _joint(role: str, stem: str, linears: tuple[Linear, ...]) -> Iterator[Group]:
    if len(linears) == 1:
        yield from _linear(role, linears[0])
        return
    yield Group(role, f"{stem}.weight", tuple(linear.weight for linear in linears))
    biases = tuple(linear.bias for linear in linears if linear.bias is not None)
    if biases:
        yield Group(f"{role}_bias", f"{stem}.bias", biases)


def _linear(role: str, linear: Linear) -> tuple[Group, ...]:
    return _named(**{role: linear.weight, f"{role}_bias": linear.bias})


def _named(**weights: Weight | None) -> tuple[Group, ...]:
    return tuple(_single(role, weight) for role, weight in weights.items() if weight is not None)


def _single(role: str, weight: Weight) -> Group:
    return Group(role, weight.name, (weight,))
