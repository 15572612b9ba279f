"""Launches of qkv, attention and attn_out."""

from collections.abc import Mapping

import numpy as np

from harness.core.cuda.api import Address, Argument, KernelName
from harness.core.cuda.launches import Inputs, Launches, Part, integer
from harness.core.errors import UnsupportedError
from harness.core.program.op import Op

BLOCK_HEADS, WIDEST_HEAD = 4, 512
"""Heads of a block in kernels/heads.cu, and the widest it has shared memory for."""
CHUNK = 256
PACKED = (1, 4, 8)
"""Query heads that share keys and, in kernels/attention.cu, a block."""
MMA_WIDTHS, MMA_ROWS, MMA_THREADS = (64, 128), 64, 128
"""Widest heads, rows (a token's query head each) and threads of a block in kernels/attention_mma.cu."""
COPIES_TRAVEL = 80
"""Compute capability from which a q8_0 cache has entry points of its own there: codes come by asynchronous copies."""
PARTIAL_BYTES = 32 << 20


def qkv(launches: Launches, op: Op) -> None:
    n = {key: int(op.params[key]) for key in ("n_head", "n_head_kv", "head_dim", "head_dim_v")}
    widest = max(n["head_dim"], n["head_dim_v"])
    if widest > WIDEST_HEAD:
        raise UnsupportedError(
            f"heads of {widest} numbers are wider than the CUDA kernels' {WIDEST_HEAD}; use device cpu:0"
        )
    columns = {
        "q": n["n_head"] * n["head_dim"],
        "k": n["n_head_kv"] * n["head_dim"],
        "v": n["n_head_kv"] * n["head_dim_v"],
    }
    found = _projections(launches, op, columns)
    kv, eps = launches.standing.kv[int(op.params["slot"])], np.float32(op.params["eps"])
    norms = [launches.weight(op, f"{of}_norm").row(0) if f"{of}_norm" in op.weights else None for of in "qk"]
    shape = [integer(n[key]) for key in ("n_head", "n_head_kv", "head_dim", "head_dim_v")]
    sides = (*kv.keys.arguments, *kv.values.arguments)
    args = (*(found[of] for of in "qkv"), *shape, *norms, eps, *_rotation(launches, op))
    grid = (-(-(n["n_head"] + 2 * n["n_head_kv"]) // BLOCK_HEADS), launches.extent.n_tokens, 1)
    launches.add(KernelName("heads", "place_heads"), grid, 128, *args, launches.standing.position, *sides)


def attention(launches: Launches, op: Op) -> None:
    """By f16 mma where that is wanted and fits; otherwise exactly, in slices of tokens."""
    width = _mma_width(op) if op.params["flash"] and launches.extent.n_tokens > 1 else None
    if width is not None:
        _attention_mma(launches, op, width)
        return
    n_head, head_dim_v = int(op.params["n_head"]), int(op.params["head_dim_v"])
    row_bytes = n_head * launches.extent.n_chunks * (2 + head_dim_v) * 4
    step = max(1, PARTIAL_BYTES // row_bytes)
    partial = launches.rooms.scratch("attention", row_bytes * min(step, launches.extent.n_tokens))
    to = launches.leave(op.outputs[0], launches.extent.n_tokens * n_head * head_dim_v)
    for first in range(0, launches.extent.n_tokens, step):
        _attention_slice(launches, op, first, min(step, launches.extent.n_tokens - first), partial, to)


def attn_out(launches: Launches, op: Op) -> None:
    residual = launches.rooms.value(op.inputs[1]) if len(op.inputs) > 1 else None
    inputs = launches.taken(launches.weight(op, "o"), op.inputs[0])
    launches.product(op, "o", inputs, launches.rooms.value(op.outputs[0]), residual)


def _projections(launches: Launches, op: Op, columns: Mapping[str, int]) -> dict[str, Address]:
    """Q goes to the operation's value, K and V to scratch, from whichever tensors hold them."""
    n_tokens = launches.extent.n_tokens
    to = {letter: launches.rooms.scratch(letter, n_tokens * columns[letter] * 4) for letter in "kv"}
    to["q"] = launches.rooms.value(op.outputs[0])
    parts = []
    for role in ("q", "k", "v", "qk", "qkv"):
        if role not in op.weights:
            continue
        weight, bias = launches.weight(op, role), launches.bias(op, role)
        first = 0
        for letter in role:
            own_bias = None if bias is None else bias._replace(offset=bias.offset + first * 4)
            parts.append(Part(weight, first, columns[letter], own_bias, to[letter]))
            first += columns[letter]
    launches.products(parts, op.inputs[0])
    return to


def _rotation(launches: Launches, op: Op) -> tuple[Argument, ...]:
    """Tables, pairs of a head that are rotated, and whether a pair's numbers are half of them apart."""
    if op.params["rope"] == "none":
        return None, None, integer(0), integer(0)
    table = launches.standing.rope[int(op.params["rope_table"])]
    return table.cosines, table.sines, integer(table.half), integer(int(op.params["rope"] == "neox"))


def _mma_width(op: Op) -> int | None:
    """The narrowest of the entry points in kernels/attention_mma.cu that takes these heads, if one does."""
    widths = [int(op.params[key]) for key in ("head_dim", "head_dim_v")]
    if any(width % 8 for width in widths) or int(op.params["n_head"]) > MMA_ROWS * int(op.params["n_head_kv"]):
        return None
    return next((width for width in MMA_WIDTHS if max(widths) <= width), None)


def _attention_mma(launches: Launches, op: Op, width: int) -> None:
    n_head, n_head_kv = int(op.params["n_head"]), int(op.params["n_head_kv"])
    kv, n_tokens = launches.standing.kv[int(op.params["slot"])], launches.extent.n_tokens
    to = launches.leave(op.outputs[0], n_tokens * n_head * int(op.params["head_dim_v"]))
    sides = (launches.rooms.value(op.inputs[0]), *kv.keys.arguments, *kv.values.arguments, _sinks(launches, op))
    sizes = (n_tokens, n_head, n_head_kv, int(op.params["head_dim"]), int(op.params["head_dim_v"]))
    seen = (np.float32(op.params["scale"]), integer(int(op.params["window"])), launches.standing.position)
    grid = (-(-n_tokens // (MMA_ROWS // (n_head // n_head_kv))), n_head_kv, 1)
    staged = "_q8" if kv.is_quantized and launches.architecture >= COPIES_TRAVEL else ""
    name = KernelName("attention_mma", f"attention_mma_{width}{staged}")
    launches.add(name, grid, MMA_THREADS, *sides, *(integer(size) for size in sizes), *seen, *to)


def _sinks(launches: Launches, op: Op) -> Address | None:
    return launches.weight(op, "sinks").row(0) if "sinks" in op.weights else None


def _attention_slice(launches: Launches, op: Op, first: int, n_tokens: int, partial: Address, to: Inputs) -> None:
    """Tokens from `first` on, to their rows of the result."""
    keys = ("n_head", "n_head_kv", "head_dim", "head_dim_v", "window")
    n_head, n_head_kv, head_dim, head_dim_v, window = (int(op.params[key]) for key in keys)
    kv, n_chunks = launches.standing.kv[int(op.params["slot"])], launches.extent.n_chunks
    at = launches.rooms.value(op.inputs[0])
    q = at._replace(offset=at.offset + first * n_head * head_dim * 4)
    before = first * n_head * head_dim_v
    results = [
        one and one._replace(offset=one.offset + n_bytes)
        for one, n_bytes in zip(to, (before * 4, before, before // 8), strict=True)
    ]
    where = (integer(window), integer(first), launches.standing.position)
    sizes = [integer(n) for n in (n_head, n_head_kv, head_dim, head_dim_v)]
    shape: tuple[Argument, ...] = (*sizes, np.float32(op.params["scale"]))
    args: tuple[Argument, ...] = (q, *kv.keys.arguments, *kv.values.arguments, *shape, *where, partial)
    group = n_head // n_head_kv
    packed = next((n for n in PACKED if group <= n), PACKED[-1])
    grid = (n_head_kv * -(-group // packed), n_tokens, n_chunks)
    launches.add(KernelName("attention", f"attention_chunk_{packed}"), grid, 256, *args)
    args = (partial, _sinks(launches, op), integer(n_chunks), integer(head_dim_v), *where, *results)
    launches.add(KernelName("attention", "attention_combine"), (n_head, n_tokens, 1), 128, *args)
