"""Launches of route, moe_up_gate and moe_down: merged or not, fused or not, grouped or expert by expert."""

from dataclasses import dataclass

import numpy as np

from harness.core.cuda.api import Address, Argument, KernelName
from harness.core.cuda.dense import ACTIVATIONS
from harness.core.cuda.launches import Inputs, Launches, Routing, integer
from harness.core.cuda.shapes import THREADS, shape_for_experts
from harness.core.cuda.weights import DeviceTensor
from harness.core.errors import UnsupportedError
from harness.core.program.op import Op

MOST_EXPERTS = 1024
"""Scores that kernels/route.cu has shared memory for."""
_GATINGS = {"softmax": 0, "sigmoid": 1, "softmax_topk": 2}


@dataclass(frozen=True)
class _Halves:
    """Gate and up: tensors of their own, or `merged_rows` rows apart in one."""

    gate: DeviceTensor
    up: DeviceTensor
    merged_rows: int
    gate_bias: Address | None
    up_bias: Address | None

    def arguments(self, n_ff: int) -> tuple[Argument, ...]:
        """Addresses and shape, as the fused kernel takes them."""
        shape = map(integer, (self.merged_rows, n_ff, self.gate.rows, self.gate.columns))
        return self.gate.address, self.up.address, self.gate.stride, *shape


@dataclass(frozen=True)
class _ExpertProduct:
    """A product of experts.cu: `rows` of the result, each of `factor` rows of weights; its arguments in three parts."""

    entry: str
    weight: DeviceTensor
    rows: int
    factor: int
    matrix: tuple[Argument, ...]
    biases: tuple[Argument, ...]
    ends: tuple[Argument, ...]


def route(launches: Launches, op: Op) -> None:
    n_expert, top_k, n_tokens = int(op.params["n_expert"]), int(op.params["top_k"]), launches.extent.n_tokens
    if n_expert > MOST_EXPERTS:
        raise UnsupportedError(
            f"{n_expert:,} experts are more than the CUDA kernels' {MOST_EXPERTS:,}; use device cpu:0"
        )
    router = launches.weight(op, "router")
    logits = launches.rooms.scratch("router", n_tokens * n_expert * 4)
    launches.product(op, "router", launches.taken(router, op.inputs[0]), logits, None)
    routing = Routing.room(launches.rooms, n_tokens * top_k, n_expert, top_k)
    launches.routing[op.outputs[0]] = routing
    how = (
        integer(_GATINGS[str(op.params["gating"])]),
        integer(int(op.params["renorm"])),
        np.float32(op.params["weight_scale"]),
    )
    counts = launches.standing.counts._replace(offset=op.layer * launches.standing.n_expert * 4)
    args = (logits, integer(n_expert), integer(top_k), *how, routing.ids, routing.weights, counts)
    launches.add(KernelName("route", "choose_experts"), (n_tokens, 1, 1), 32, *args)


def moe_up_gate(launches: Launches, op: Op) -> None:
    routing, n_ff = launches.routing[op.inputs[1]], int(op.params["n_ff"])
    act = launches.rooms.value(op.outputs[0])
    halves = _halves(launches, op, n_ff)
    inputs = launches.taken(halves.gate, op.inputs[0])
    kind = integer(ACTIVATIONS[str(op.params["activation"])])
    if op.params["fused"]:
        biases = (halves.gate_bias, halves.up_bias)
        matrix = halves.arguments(n_ff)
        to = launches.leave(op.outputs[0], routing.n_slots * n_ff)
        both = _ExpertProduct("expert_gate_up", halves.gate, n_ff, 2, matrix, biases, (kind, *to))
        _multiply(launches, op, both, inputs, routing, routing.top_k)
        return
    gate, up, stride = _unfused_halves(launches, op, halves, inputs, routing, n_ff)
    grid = (-(-n_ff // 128), routing.n_slots, 1)
    launches.add(KernelName("combine", "activate_rows"), grid, 128, gate, up, integer(stride), integer(n_ff), kind, act)


def moe_down(launches: Launches, op: Op) -> None:
    routing, down = launches.routing[op.inputs[1]], launches.weight(op, "down")
    y = launches.rooms.scratch("expert outputs", routing.n_slots * down.rows * 4)
    inputs = launches.taken(down, op.inputs[0], routing.n_slots)
    _expert_product(launches, op, "down", inputs, routing, 1, y)
    residual = launches.rooms.value(op.inputs[2]) if len(op.inputs) > 2 else None
    grid = (-(-down.rows // 128), launches.extent.n_tokens, 1)
    args = (
        y,
        routing.weights,
        integer(routing.top_k),
        residual,
        launches.rooms.value(op.outputs[0]),
        integer(down.rows),
    )
    launches.add(KernelName("combine", "combine_slots"), grid, 128, *args)


def _halves(launches: Launches, op: Op, n_ff: int) -> _Halves:
    if "gate_up" in op.weights:
        both, bias = launches.weight(op, "gate_up"), launches.bias(op, "gate_up")
        return _Halves(both, both, n_ff, bias, None if bias is None else bias._replace(offset=n_ff * 4))
    gate, up = launches.weight(op, "gate"), launches.weight(op, "up")
    if gate.format != up.format:
        raise UnsupportedError(
            f"layer {op.layer}: gate is {gate.format} and up is {up.format}; the CUDA kernels need one format for both"
        )
    return _Halves(gate, up, 0, launches.bias(op, "gate"), launches.bias(op, "up"))


def _unfused_halves(
    launches: Launches, op: Op, halves: _Halves, inputs: Inputs, routing: Routing, n_ff: int
) -> tuple[Address, Address, int]:
    """Where gate and up of every slot are, and the distance from slot to slot: one product, or two."""
    gate = launches.rooms.scratch("gate", routing.n_slots * 2 * n_ff * 4)
    if halves.merged_rows:
        _expert_product(launches, op, "gate_up", inputs, routing, routing.top_k, gate)
        return gate, gate._replace(offset=n_ff * 4), 2 * n_ff
    up = gate._replace(offset=routing.n_slots * n_ff * 4)
    _expert_product(launches, op, "gate", inputs, routing, routing.top_k, gate)
    _expert_product(launches, op, "up", inputs, routing, routing.top_k, up)
    return gate, up, n_ff


def _expert_product(
    launches: Launches, op: Op, role: str, inputs: Inputs, routing: Routing, per_input: int, y: Address
) -> None:
    weight = launches.weight(op, role)
    matrix = (weight.address, weight.stride, integer(weight.rows), integer(weight.columns))
    product = _ExpertProduct("expert_product", weight, weight.rows, 1, matrix, (launches.bias(op, role),), (y,))
    _multiply(launches, op, product, inputs, routing, per_input)


def _multiply(
    launches: Launches, op: Op, product: _ExpertProduct, inputs: Inputs, routing: Routing, per_input: int
) -> None:
    """One grid for all experts, or one for each where the path is per_expert; `per_input` slots share an input."""
    n_expert, name = int(op.params["n_expert"]), product.weight.format
    shape = shape_for_experts(launches.extent.n_tokens, routing.n_slots, n_expert, name, launches.architecture)
    slots: tuple[Argument, ...] = (routing.ids,)
    n_tiles = routing.n_slots
    if shape.tokens > 1:
        tiles, n_tiles = launches.tiles(routing, n_expert, shape.tokens)
        slots = (tiles, routing.order)
    kernel = KernelName(shape.source("experts"), f"{product.entry}{shape.suffix}", name)
    rows = product.rows * (product.factor if shape.is_mma else 1)
    before = (*product.matrix, *(inputs[1:] if shape.is_mma else inputs), *product.biases, *slots, integer(per_input))
    for expert in range(n_expert) if op.params.get("path") == "per_expert" else (-1,):
        launches.add(kernel, shape.grid([rows], n_tiles), THREADS, *before, integer(expert), *product.ends)
