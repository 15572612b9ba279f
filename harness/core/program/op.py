"""The program: a flat tuple of operations that every backend executes as it stands.

An `Op` names its inputs and outputs by value, its weights by the plan's tensor names, and carries
everything else a kernel needs as params. Nothing in it depends on token count or position: those are
run-time inputs. Values are float32 unless their `Value.kind` says otherwise; T is the token count of
the ubatch. Operations, their weights by role and their params:

embed         ()              -> x        weights: table
rms_norm      (x)             -> h        weights: norm                       params: eps
qkv           (h)             -> q        weights: q,k,v | qkv | qk,v  [q_norm k_norm]
                                                   [q_bias k_bias v_bias | qkv_bias | qk_bias v_bias]
                                          params: slot, n_head, n_head_kv, head_dim, head_dim_v, eps,
                                                  rope ("neox" | "norm" | "none"), rope_table
              bias, then per-head RMS norm of q and k, then RoPE; K and V go to KV slot `slot` as f16
attention     (q)             -> a        weights: [sinks]
                                          params: slot, n_head, n_head_kv, head_dim, head_dim_v, scale, window,
                                                  flash (whether several tokens may be attended to by rounded numbers)
              window 0 = none; window w: position p sees p-w+1 .. p
attn_out      (a[, x])        -> x'       weights: o [o_bias]                 (adds x where given)
route         (h)             -> routing  weights: router [router_bias]       params: n_expert, top_k, gating
                                          ("softmax" | "sigmoid" | "softmax_topk"), renorm, weight_scale
              ties go to the lower expert; slots are in descending order of the selection score
moe_up_gate   (h, routing)    -> act      weights: gate,up | gate_up [gate_bias up_bias | gate_up_bias]
                                          params: n_ff, n_expert, top_k, activation ("swiglu" | "swiglu_oai"),
                                                  fused, path ("grouped" | "per_expert")
moe_down      (act, routing[, x]) -> x'   weights: down [down_bias]           params: n_ff, n_expert, top_k
              x' = x + sum over slots j ascending of w_j * (down_j act_j + bias_j)
ffn           (h[, x])        -> x'       weights: gate,up,down | gate_up,down   params: n_ff, activation
logits        (h)             -> logits   weights: output
ffn_up_gate   (h)             -> act      weights: gate,up | gate_up           params: n_ff, activation
              the first half of ffn, float32; where down's rows are on several devices (down is then an attn_out)
copy          (v)             -> v'       params: source (device)             v moved to the op's device, or its own v
gather        (v...)          -> v'       params: n_slots   columns side by side, within each of a token's slots
reduce        (v...[, x])     -> v'       params: wire ("f32" | "f16" | "bf16"), residual (whether x is there)
              partial sums, each rounded to the wire's type, added in ascending order; then x, of this device, + the sum

The last three alone read other devices' values, and no backend has them: between them a device's ops are segments.

A value has one op that makes it, or several whose `sizes` exclude each other: then a run has one of them.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CROSSINGS = frozenset({"copy", "gather", "reduce"})
HAND_OUT = "hand_out"
"""What stands in a script's lifetimes where values are handed to the host."""
OF_THE_HOST = CROSSINGS | {HAND_OUT}

Param = str | int | float | bool
ValueKind = Literal["f32", "routing", "act", "logits"]


@dataclass(frozen=True)
class Value:
    """A value that flows between ops: `columns` numbers per token (routing: columns = top_k)."""

    name: str
    kind: ValueKind
    columns: int
    device: str


@dataclass(frozen=True)
class Sizes:
    """Numbers of tokens that an operation is for."""

    least: int = 1
    most: int = sys.maxsize

    def __contains__(self, n_tokens: int) -> bool:
        return self.least <= n_tokens <= self.most


ANY_SIZE = Sizes()


@dataclass(frozen=True)
class Op:
    """One operation on one device. `inputs` and `outputs` are value names, `weights` maps role to plan tensor."""

    name: str
    device: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Param] = field(default_factory=dict)
    layer: int = -1
    sizes: Sizes = ANY_SIZE


def partial_sums(op: Op) -> tuple[str, ...]:
    """What a `reduce` adds up: its inputs but for the residual."""
    return op.inputs[:-1] if op.params["residual"] else op.inputs


@dataclass(frozen=True)
class RopeTable:
    """`frequencies`: float64 [n_rot/2], angle = position * frequency; cos and sin are multiplied by `magnitude`."""

    frequencies: NDArray[np.float64]
    magnitude: float

    def cos_sin(self, n_positions: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Two float32 tables [n_positions, n_rot/2], computed in float64 so that every backend has equal bits."""
        angle = np.arange(n_positions, dtype=np.float64)[:, None] * self.frequencies[None, :]
        return (
            (np.cos(angle) * self.magnitude).astype(np.float32),
            (np.sin(angle) * self.magnitude).astype(np.float32),
        )


@dataclass(frozen=True)
class KvSlot:
    """Keys and values of one layer: `n_head_kv` heads of `head_dim` / `head_dim_v` numbers per position."""

    device: str
    n_head_kv: int
    head_dim: int
    head_dim_v: int
    window: int


@dataclass(frozen=True)
class Program:
    """What a backend runs for every ubatch: values in order of definition, ops in order of execution."""

    ops: tuple[Op, ...]
    values: tuple[Value, ...]
    kv_slots: tuple[KvSlot, ...]
    rope_tables: tuple[RopeTable, ...]
    n_embd: int
    n_vocab: int
