"""route, moe_up_gate and moe_down. Tokens of one expert are multiplied together; no token influences another."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import UnsupportedError
from harness.core.reference.activations import activate
from harness.core.reference.arithmetic import F32, exponential, fma, sum_in_order, sum_last
from harness.core.reference.state import Routing, Step


def route(step: Step, h: F32) -> Routing:
    """Router logits -> the top_k of them -> weights. Chosen by logit, so that rounding of the softmax makes no ties."""
    scores = step.affine(step.weights["router"].matrix(), step.bias("router_bias"), h)
    experts = np.argsort(-scores, axis=1, kind="stable")[:, : step.integer("top_k")].astype(np.int32)
    chosen = np.take_along_axis(scores, experts, axis=1)
    shares = _shares(step.text("gating"), scores, chosen)
    if step.op.params["renorm"]:
        shares = shares / sum_in_order(shares)[:, None]
    return Routing(experts, shares * step.number("weight_scale"))


def _shares(gating: str, scores: F32, chosen: F32) -> F32:
    """The chosen experts' weights [T, k] before any renormalisation."""
    if gating == "sigmoid":
        y: F32 = np.float32(1) / (np.float32(1) + exponential(-chosen))
        return y
    if gating not in ("softmax", "softmax_topk"):
        raise UnsupportedError(f"gating {gating!r} has no implementation in the reference")
    over = scores if gating == "softmax" else chosen
    largest = chosen[:, :1]
    shares: F32 = exponential(chosen - largest) / sum_last(exponential(over - largest))[:, None]
    return shares


def moe_up_gate(step: Step, h: F32, routing: Routing) -> F32:
    """activation(gate h, up h) for every (token, slot): float32 [T, k, n_ff]. Gate and up are multiplied one by one."""
    n_ff = step.integer("n_ff")
    act = np.empty((*routing.experts.shape, n_ff), np.float32)
    for expert, tokens, slots in _by_expert(routing.experts):
        gate, up = (_half(step, expert, half, h[tokens]) for half in (0, 1))
        act[tokens, slots] = activate(step.text("activation"), gate, up)
    return act


def _half(step: Step, expert: int, half: int, h: F32) -> F32:
    """Gate (half 0) or up (half 1) of one expert, with its bias."""
    if "gate_up" not in step.weights:
        role = ("gate", "up")[half]
        return step.affine(step.weights[role].matrix(expert), step.bias(f"{role}_bias", expert), h)
    n_ff = step.weights["gate_up"].rows // 2
    bias = step.bias("gate_up_bias", expert)
    part = None if bias is None else bias[half * n_ff : (half + 1) * n_ff]
    return step.affine(step.weights["gate_up"].matrix(expert, half * n_ff, n_ff), part, h)


def moe_down(step: Step, act: F32, routing: Routing, x: F32 | None = None) -> F32:
    """Sum over slots ascending of weight * (down act + bias), one fma each, then the residual.

    `act` is [T, k, n_ff], or flat as it comes from another device.
    """
    n_tokens, top_k = routing.experts.shape
    act = act.reshape(n_tokens, top_k, -1)
    y = np.empty((n_tokens, top_k, step.weights["down"].rows), np.float32)
    for expert, tokens, slots in _by_expert(routing.experts):
        bias = step.bias("down_bias", expert)
        y[tokens, slots] = step.affine(step.weights["down"].matrix(expert), bias, act[tokens, slots])
    total = np.zeros((n_tokens, y.shape[-1]), np.float32)
    for slot in range(top_k):
        total = fma(routing.weights[:, slot, None], y[:, slot], total)
    return total if x is None else x + total


def _by_expert(experts: NDArray[np.int32]) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Each expert in use, with the tokens and slots that chose it, in token order."""
    for expert in np.unique(experts):
        tokens, slots = np.nonzero(experts == expert)
        yield int(expert), tokens, slots
