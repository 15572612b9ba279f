"""Launches of embed, rms_norm, ffn and logits."""

import numpy as np

from harness.core.cuda.api import Address, KernelName
from harness.core.cuda.launches import Launches, Part, integer
from harness.core.cuda.rooms import Rooms
from harness.core.program.op import Op

ACTIVATIONS = {"swiglu": 0, "swiglu_oai": 1}


def embed(launches: Launches, op: Op) -> None:
    table = launches.weight(op, "table")
    grid = (-(-table.columns // (32 * 128)), launches.extent.n_tokens, 1)
    x = launches.rooms.value(op.outputs[0])
    name = KernelName("embed", "embed", table.format)
    launches.add(name, grid, 128, table.address, table.stride, integer(table.columns), launches.standing.tokens, x)


def rms_norm(launches: Launches, op: Op) -> None:
    norm = launches.weight(op, "norm")
    to = launches.leave(op.outputs[0], launches.extent.n_tokens * norm.columns)
    shape = (integer(norm.columns), np.float32(op.params["eps"]))
    name, grid = KernelName("norm", "rms_norm"), (launches.extent.n_tokens, 1, 1)
    launches.add(name, grid, 128, launches.rooms.value(op.inputs[0]), norm.row(0), *to, *shape)


def ffn(launches: Launches, op: Op) -> None:
    act = launches.rooms.scratch("act", launches.extent.n_tokens * int(op.params["n_ff"]) * 4)
    _gated(launches, op, act)
    residual = launches.rooms.value(op.inputs[1]) if len(op.inputs) > 1 else None
    launches.product(
        op, "down", launches.quantized(launches.weight(op, "down"), act), launches.rooms.value(op.outputs[0]), residual
    )


def ffn_up_gate(launches: Launches, op: Op) -> None:
    _gated(launches, op, launches.rooms.value(op.outputs[0]))


def _gated(launches: Launches, op: Op, act: Address) -> None:
    """Gate and up, then the activation, into `act` [T, n_ff]."""
    n_ff, n_tokens = int(op.params["n_ff"]), launches.extent.n_tokens
    merged = "gate_up" in op.weights
    gate = launches.rooms.scratch("gate", n_tokens * 2 * n_ff * 4)
    up = gate._replace(offset=n_ff * 4 if merged else n_tokens * n_ff * 4)
    to = {"gate_up": gate} if merged else {"gate": gate, "up": up}
    weights = {role: launches.weight(op, role) for role in to}
    parts = [Part(weights[role], 0, weights[role].rows, launches.bias(op, role), to[role]) for role in to]
    launches.products(parts, op.inputs[0])
    kind, stride = integer(ACTIVATIONS[str(op.params["activation"])]), integer((1 + merged) * n_ff)
    grid = (-(-n_ff // 128), n_tokens, 1)
    launches.add(KernelName("combine", "activate_rows"), grid, 128, gate, up, stride, integer(n_ff), kind, act)


def logits(launches: Launches, op: Op) -> None:
    n, output = launches.extent.n_logits, launches.weight(op, "output")
    if n == 0:
        return
    first = launches.extent.n_tokens - n
    at = launches.rooms.value(op.inputs[0])
    h = at._replace(offset=at.offset + first * output.columns * 4)
    y = logits_room(launches.rooms, n, n * output.rows * 4)
    launches.product(op, "output", launches.quantized(output, h, n), y, None, n)


def logits_room(rooms: Rooms, n_rows: int, n_bytes: int) -> Address:
    """Where logits go. Those of many tokens are seldom asked for, and may grow: captured launches never write there."""
    return rooms.scratch("logits" if n_rows == 1 else "logits of a prompt", n_bytes)
