"""Launches of qkv, attention and attn_out."""

from collections.abc import Mapping

import numpy as np

from harness.core.cuda.api import Address, Argument, KernelName
from harness.core.cuda.launches import Inputs, Launches, integer
from harness.core.program.op import Op

CHUNK = 256
PARTIAL_BYTES = 32 << 20


def qkv(launches: Launches, op: Op) -> None:
    n = {key: int(op.params[key]) for key in ("n_head", "n_head_kv", "head_dim", "head_dim_v")}
    columns = {
        "q": n["n_head"] * n["head_dim"],
        "k": n["n_head_kv"] * n["head_dim"],
        "v": n["n_head_kv"] * n["head_dim_v"],
    }
    found = _projections(launches, op, columns)
    for letter, n_head in (("q", n["n_head"]), ("k", n["n_head_kv"])):
        _place_heads(launches, op, letter, found[letter], n_head, n["head_dim"])
    kv = launches.standing.kv[int(op.params["slot"])]
    for letter, cache in (("k", kv.keys), ("v", kv.values)):
        args = (found[letter], integer(columns[letter]), cache, integer(columns[letter]), launches.standing.position)
        launches.add(KernelName("rope", "store_kv"), (launches.extent.n_tokens, 1, 1), 128, *args)


def attention(launches: Launches, op: Op) -> None:
    n_head, head_dim_v = int(op.params["n_head"]), int(op.params["head_dim_v"])
    row_bytes = n_head * launches.extent.n_chunks * (2 + head_dim_v) * 4
    step = max(1, PARTIAL_BYTES // row_bytes)
    partial = launches.rooms.scratch("attention", row_bytes * min(step, launches.extent.n_tokens))
    for first in range(0, launches.extent.n_tokens, step):
        _attention_slice(launches, op, first, min(step, launches.extent.n_tokens - first), partial)


def attn_out(launches: Launches, op: Op) -> None:
    residual = launches.rooms.value(op.inputs[1]) if len(op.inputs) > 1 else None
    a = launches.rooms.value(op.inputs[0])
    launches.product(
        op, "o", launches.quantized(launches.weight(op, "o"), a), launches.rooms.value(op.outputs[0]), residual
    )


def _projections(launches: Launches, op: Op, columns: Mapping[str, int]) -> dict[str, Address]:
    """Q goes to the operation's value, K and V to scratch, from whichever tensors hold them."""
    n_tokens = launches.extent.n_tokens
    to = {letter: launches.rooms.scratch(letter, n_tokens * columns[letter] * 4) for letter in "kv"}
    to["q"] = launches.rooms.value(op.outputs[0])
    inputs: dict[bool, Inputs] = {}  # quantised once for all that want it so
    for role in ("q", "k", "v", "qk", "qkv"):
        if role not in op.weights:
            continue
        weight, bias = launches.weight(op, role), launches.bias(op, role)
        if weight.is_quantized not in inputs:
            inputs[weight.is_quantized] = launches.quantized(weight, launches.rooms.value(op.inputs[0]))
        first = 0
        for letter in role:
            part = None if bias is None else bias._replace(offset=first * 4)
            rows = columns[letter]
            launches.rows_product(weight, first, rows, inputs[weight.is_quantized], part, None, to[letter], n_tokens)
            first += rows
    return to


def _place_heads(launches: Launches, op: Op, letter: str, heads: Address, n_head: int, head_dim: int) -> None:
    """Norm of every head where the layer has one, then rotation."""
    n_tokens = launches.extent.n_tokens
    if f"{letter}_norm" in op.weights:
        norm = launches.weight(op, f"{letter}_norm")
        launches.normalize(heads, norm, heads, n_tokens * n_head, float(op.params["eps"]))
    if op.params["rope"] == "none":
        return
    table = launches.standing.rope[int(op.params["rope_table"])]
    shape = (integer(n_head * head_dim), integer(n_head), integer(head_dim))
    apart = integer(int(op.params["rope"] == "neox"))
    args = (heads, *shape, table.cosines, table.sines, integer(table.half), apart, launches.standing.position)
    launches.add(KernelName("rope", "rotate"), (n_tokens, 1, 1), 128, *args)


def _attention_slice(launches: Launches, op: Op, first: int, n_tokens: int, partial: Address) -> None:
    keys = ("n_head", "n_head_kv", "head_dim", "head_dim_v", "window")
    n_head, n_head_kv, head_dim, head_dim_v, window = (int(op.params[key]) for key in keys)
    kv, n_chunks = launches.standing.kv[int(op.params["slot"])], launches.extent.n_chunks
    q = launches.rooms.value(op.inputs[0])._replace(offset=first * n_head * head_dim * 4)
    a = launches.rooms.value(op.outputs[0])._replace(offset=first * n_head * head_dim_v * 4)
    where = (integer(window), integer(first), launches.standing.position)
    shape = (integer(n_head_kv), integer(head_dim), integer(head_dim_v), np.float32(op.params["scale"]))
    args: tuple[Argument, ...] = (q, kv.keys, kv.values, *shape, *where, partial)
    launches.add(KernelName("attention", "attention_chunk"), (n_head, n_tokens, n_chunks), 256, *args)
    sinks = launches.weight(op, "sinks").row(0) if "sinks" in op.weights else None
    args = (partial, sinks, integer(n_chunks), integer(head_dim_v), *where, a)
    launches.add(KernelName("attention", "attention_combine"), (n_head, n_tokens, 1), 128, *args)
