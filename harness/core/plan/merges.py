"""Decides every merge, layer by layer, with a reason. Nothing else decides one, and none is made twice.

A merge is only another destination for the same bytes, so it never changes a model's size or parameter count.
"""

from collections.abc import Callable, Iterator

from harness.core.models.recipe import AttentionPart, DensePart, GateUp, Layer, Linear, Model
from harness.core.options import Options
from harness.core.plan.groups import mergeable, merged_projections
from harness.core.plan.types import MergeDecision

FROM_FILE = "the file comes merged"
NOT_ASKED = "not asked for"
MAPPED = "layout mapped leaves the file's bytes where they are"


def decide_merges(model: Model, options: Options, n_layer: int) -> tuple[MergeDecision, ...]:
    """One decision for every layer and kind of merge that the architecture has room for."""
    return tuple(
        decision
        for index, layer in enumerate(model.recipe.layers[:n_layer])
        for decision in _decide_layer(layer, index, options)
    )


def merged_in(merges: tuple[MergeDecision, ...], layer: int) -> Callable[[str], bool]:
    """For one layer: whether the merge of a kind is done."""
    done = {merge.kind for merge in merges if merge.layer == layer and merge.done}
    return done.__contains__


def _decide_layer(layer: Layer, index: int, options: Options) -> Iterator[MergeDecision]:
    yield MergeDecision("qkv", index, *_decide_qkv(layer.attention, options))
    forward = layer.feed_forward
    kind = "up_gate_shared" if isinstance(forward, DensePart) else "up_gate"
    asked = options.merge_up_gate_shared if isinstance(forward, DensePart) else options.merge_up_gate
    yield MergeDecision(kind, index, *_decide_gate_up(forward.gate_up, options, asked=asked))


def _decide_gate_up(gate_up: GateUp, options: Options, *, asked: bool) -> tuple[bool, str]:
    if gate_up.merged_name:
        return True, FROM_FILE
    refusal = _refusal(options, asked=asked)
    if refusal:
        return False, refusal
    if not mergeable(gate_up):
        return False, _difference(("gate", gate_up.gate), ("up", gate_up.up))
    return True, "gate and up are of one format" + (", biases too" if gate_up.gate.bias is not None else "")


def _decide_qkv(part: AttentionPart, options: Options) -> tuple[bool, str]:
    if part.qkv.merged_name:
        return True, FROM_FILE
    refusal = _refusal(options, asked=options.merge_qkv)
    if refusal:
        return False, refusal
    joint = merged_projections(part)
    if joint == "qkv":
        return True, "Q, K and V are of one format" + (", biases too" if part.qkv.q.bias is not None else "")
    if joint == "qk":
        return True, f"Q and K only: {_difference(('K', part.qkv.k), ('V', part.qkv.v))}"
    return False, _difference(("Q", part.qkv.q), ("K", part.qkv.k))


def _refusal(options: Options, *, asked: bool) -> str:
    if not asked:
        return NOT_ASKED
    return MAPPED if options.layout == "mapped" else ""


def _difference(left: tuple[str, Linear], right: tuple[str, Linear]) -> str:
    (name, linear), (other_name, other) = left, right
    if linear.weight.format != other.weight.format:
        return f"{name} is {linear.weight.format}, {other_name} is {other.weight.format}"
    with_bias, without = (name, other_name) if linear.bias is not None else (other_name, name)
    return f"{with_bias} has a bias, {without} has none"
