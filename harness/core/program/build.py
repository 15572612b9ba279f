"""`forward` of a model, run once per plan: the operations of one ubatch, in order.

It reads like the model's formulas. A part of a layer that a split mode shares out is written in split.py, one whose
experts a GPU borrows in lending.py; whatever a device needs from another comes to it by a `copy`, `gather` or `reduce`,
so that every other op reads its own device.
"""

from harness.core.models.recipe import AttentionPart, Layer, Model
from harness.core.plan.groups import head_name, layer_groups
from harness.core.plan.merges import merged_in
from harness.core.plan.types import Plan
from harness.core.program.lending import lent_feed_forward
from harness.core.program.op import Program
from harness.core.program.parts import Groups, Parts
from harness.core.program.split import graph_attention, graph_feed_forward, row_attention, row_feed_forward
from harness.core.program.stream import Stream
from harness.core.program.tape import Tape

_ATTENTION = {"graph": graph_attention, "row": row_attention}
_FEED_FORWARD = {"graph": graph_feed_forward, "row": row_feed_forward}


def build_program(model: Model, plan: Plan) -> Program:
    """The program of `plan`: every operation on the device that its placement names."""
    tape = Tape(plan)
    _forward(tape, model, plan)
    return Program(
        ops=tuple(tape.ops),
        values=tuple(tape.values),
        kv_slots=tuple(tape.kv_slots),
        rope_tables=model.recipe.rope_tables,
        n_embd=model.n_embd,
        n_vocab=model.n_vocab,
    )


def _forward(tape: Tape, model: Model, plan: Plan) -> None:
    """Embedding, layers, output norm, logits."""
    recipe, parts = model.recipe, Parts(tape, model, plan.options)
    home = plan.placement.embedding
    table = tape.emit("embed", home, (), model.n_embd, {"table": recipe.embedding.name})
    x = Stream.at_home(tape, home, table)
    for index, layer in enumerate(recipe.layers[: len(plan.placement.layers)]):
        tape.layer = index
        x = _layer(parts, x, layer, layer_groups(layer, index, merged_in(plan.merges, index)), plan)
    tape.layer = -1
    _head(tape, x, model, plan)


def _layer(parts: Parts, x: Stream, layer: Layer, groups: Groups, plan: Plan) -> Stream:
    placed = plan.placement.layers[parts.tape.layer]
    if placed.attention.how != "whole":
        x = _ATTENTION[placed.attention.how](parts, x, layer.attention, groups, placed.attention)
    else:
        x = _attention(parts, x, layer.attention, groups, placed.attention.main)
    if placed.feed_forward.how != "whole":
        return _FEED_FORWARD[placed.feed_forward.how](parts, x, layer.feed_forward, groups, placed.feed_forward)
    loan, home = plan.loan_in(parts.tape.layer), placed.feed_forward.main
    if loan is not None and loan.done and plan.lends_from:
        return lent_feed_forward(parts, x, layer.feed_forward, groups, loan, plan.lends_from)
    return Stream.at_home(parts.tape, home, parts.feed_forward(home, x.at(home), layer.feed_forward, groups))


def _attention(parts: Parts, x: Stream, part: AttentionPart, groups: Groups, device: str) -> Stream:
    h = parts.norm(device, x.at(device), groups["attn_norm"])
    a = parts.attention(device, h, part, groups, part.n_head_kv)
    return Stream.at_home(parts.tape, device, parts.attn_out(device, a, groups, x.at(device)))


def _head(tape: Tape, x: Stream, model: Model, plan: Plan) -> None:
    """Output norm and logits; where several devices make some of the logits each, the main one gathers them."""
    head, weights = plan.placement.head, {"output": head_name(model, plan.placement)}
    norm, params = {"norm": model.recipe.output_norm.name}, {"eps": model.recipe.eps}

    def normed(device: str) -> str:
        return tape.emit("rms_norm", device, (x.at(device),), model.n_embd, norm, params)

    h = Stream.at_home(tape, head.main, normed(head.main)) if head.how == "row" else Stream({}, normed)
    found = tuple(
        tape.emit("logits", share.device, (h.at(share.device),), share.count, weights, kind="logits")
        for share in head.shares
    )
    if head.how != "whole":
        tape.emit("gather", head.main, found, model.n_vocab, params={"n_slots": 1}, kind="logits")
