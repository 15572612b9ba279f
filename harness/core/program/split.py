"""Parts of a layer that several devices share.

graph: every device takes its heads or FFN columns through both products; partial sums are reduced.
row: every device makes some rows of each product, and the main device gathers them. The main device alone normalises
and adds the residual.
"""

from harness.core.models.recipe import AttentionPart, DensePart, ExpertsPart
from harness.core.plan.placement import Part
from harness.core.program.op import Param, ValueKind
from harness.core.program.parts import Groups, Parts
from harness.core.program.stream import Stream


def graph_attention(parts: Parts, x: Stream, part: AttentionPart, groups: Groups, placed: Part) -> Stream:
    """Heads of each share, then their columns of the output projection."""
    partial = {}
    for share in placed.shares:
        h = parts.norm(share.device, x.at(share.device), groups["attn_norm"])
        a = parts.attention(share.device, h, part, groups, share.count)
        partial[share.device] = parts.attn_out(share.device, a, groups)
    return Stream.reduced(parts.tape, partial, x, parts.wire)


def graph_feed_forward(parts: Parts, x: Stream, part: DensePart | ExpertsPart, groups: Groups, placed: Part) -> Stream:
    """FFN columns of each share through gate, up and down; every device routes all tokens itself."""
    partial = {}
    for share in placed.shares:
        device, n_ff = share.device, share.count
        h = parts.norm(device, x.at(device), groups["ffn_norm"])
        if isinstance(part, DensePart):
            partial[device] = parts.ffn(device, h, part, groups, n_ff)
            continue
        routing = parts.route(device, h, part, groups)
        act = parts.moe_up_gate(device, h, routing, part, groups, n_ff)
        partial[device] = parts.moe_down(device, act, routing, part, groups, n_ff)
    return Stream.reduced(parts.tape, partial, x, parts.wire)


def row_attention(parts: Parts, x: Stream, part: AttentionPart, groups: Groups, placed: Part) -> Stream:
    """Heads of each share gathered, then rows of the output projection gathered."""
    h = Stream.at_home(parts.tape, placed.main, parts.norm(placed.main, x.at(placed.main), groups["attn_norm"]))
    found = [parts.attention(share.device, h.at(share.device), part, groups, share.count) for share in placed.shares]
    a = _gathered(parts, found, part.n_head * part.head_dim_v, placed.main)
    rows = [
        parts.attn_out(share.device, a.at(share.device), groups, columns=share.count) for share in placed.out_shares
    ]
    return _added(parts, rows, x, placed.main)


def row_feed_forward(parts: Parts, x: Stream, part: DensePart | ExpertsPart, groups: Groups, placed: Part) -> Stream:
    """Activations of each share gathered, then rows of down gathered; devices with experts route all tokens."""
    h = Stream.at_home(parts.tape, placed.main, parts.norm(placed.main, x.at(placed.main), groups["ffn_norm"]))
    if isinstance(part, DensePart):
        found = [
            parts.ffn_up_gate(share.device, h.at(share.device), part, groups, share.count) for share in placed.shares
        ]
        act = _gathered(parts, found, part.n_ff, placed.main)
        rows = [parts.ffn_down(share.device, act.at(share.device), groups, share.count) for share in placed.out_shares]
        return _added(parts, rows, x, placed.main)
    routing = Stream({}, lambda device: parts.route(device, h.at(device), part, groups))
    found = [
        parts.moe_up_gate(share.device, h.at(share.device), routing.at(share.device), part, groups, share.count)
        for share in placed.shares
    ]
    # Before activations arrive, since a CPU lays them out by expert, also where none are made.
    routed = {share.device: routing.at(share.device) for share in placed.out_shares}
    act = _gathered(parts, found, part.top_k * part.n_ff, placed.main, part.top_k)
    rows = []
    for share in placed.out_shares:
        device = share.device
        inputs = (device, act.at(device), routed[device])
        rows.append(parts.moe_down(*inputs, part, groups, part.n_ff, columns=share.count))
    return _added(parts, rows, x, placed.main)


def _gathered(parts: Parts, found: list[str], columns: int, main: str, n_slots: int = 1) -> Stream:
    """Column ranges side by side on `main`; with `n_slots`, within each of a token's slots."""
    kind: ValueKind = parts.tape.value(found[0]).kind
    name = parts.tape.emit("gather", main, tuple(found), columns, params={"n_slots": n_slots}, kind=kind)
    return Stream.at_home(parts.tape, main, name)


def _added(parts: Parts, rows: list[str], x: Stream, main: str) -> Stream:
    """The residual and the gathered rows of the second product, on `main`."""
    y = _gathered(parts, rows, parts.n_embd, main).at(main)
    params: dict[str, Param] = {"wire": "f32", "residual": True}
    return Stream.at_home(
        parts.tape, main, parts.tape.emit("reduce", main, (y, x.at(main)), parts.n_embd, params=params)
    )
