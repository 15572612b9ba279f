"""The pieces architectures are built from: heads, Q K V, feed-forward, experts in each of the ways files keep them."""

from collections.abc import Iterable
from dataclasses import dataclass

from harness.core.errors import GgufError
from harness.core.models.keys import MAX_EXPERTS, MAX_LAYERS, Keys
from harness.core.models.recipe import (
    Activation,
    AttentionPart,
    DensePart,
    ExpertsPart,
    GateUp,
    Gating,
    Layer,
    Linear,
    Qkv,
    Recipe,
    RopeKind,
    Weight,
)
from harness.core.models.rope import read_scaling, rope_table
from harness.core.models.tensors import Tensors, joined, part
from harness.core.program.op import RopeTable


@dataclass(frozen=True)
class Dimensions:
    """The extents every architecture here has."""

    n_layer: int
    n_embd: int
    n_head: int
    n_head_kv: int
    head_dim: int
    head_dim_v: int
    n_rot: int
    eps: float


@dataclass(frozen=True)
class Mixture:
    """The extents of a mixture-of-experts layer; `n_expert` 0 for a dense model."""

    n_expert: int
    top_k: int
    n_ff: int


def read_dimensions(keys: Keys) -> Dimensions:
    """Extents from metadata. Errors: GgufError where they contradict each other."""
    n_embd = keys.integer("embedding_length")
    n_head = keys.integer("attention.head_count", high=n_embd)
    n_head_kv = keys.integer("attention.head_count_kv", n_head, high=n_head)
    if n_head % n_head_kv:
        raise GgufError(f"{n_head} attention heads cannot share {n_head_kv} key-value heads evenly")
    head_dim = keys.integer("attention.key_length", n_embd // n_head)
    n_rot = keys.integer("rope.dimension_count", head_dim, low=2, high=head_dim)
    if n_rot % 2:
        raise GgufError(f"{keys.arch}.rope.dimension_count is {n_rot}, which is odd")
    return Dimensions(
        n_layer=keys.integer("block_count", high=MAX_LAYERS),
        n_embd=n_embd,
        n_head=n_head,
        n_head_kv=n_head_kv,
        head_dim=head_dim,
        head_dim_v=keys.integer("attention.value_length", head_dim),
        n_rot=n_rot,
        eps=keys.number("attention.layer_norm_rms_epsilon"),
    )


def read_mixture(keys: Keys, *, needed: bool = False) -> Mixture:
    """Expert counts from metadata. Errors: GgufError for more experts used than there are, or none where `needed`."""
    n_expert = keys.integer("expert_count", None if needed else 0, low=int(needed), high=MAX_EXPERTS)
    if n_expert == 0:
        return Mixture(0, 0, keys.integer("feed_forward_length"))
    top_k = keys.integer("expert_used_count", high=n_expert)
    n_ff = keys.integer("expert_feed_forward_length", 0, low=0) or keys.integer("feed_forward_length")
    return Mixture(n_expert, top_k, n_ff)


def read_rope(keys: Keys, tensors: Tensors, n_rot: int) -> RopeTable:
    """The model's rotary table, with the divisors of tensor `rope_freqs.weight` where the file has it."""
    base = keys.number("rope.freq_base", 10000.0)
    if base <= 1:
        raise GgufError(f"{keys.arch}.rope.freq_base is {base}; it must be greater than 1")
    name = "rope_freqs.weight"
    divisors = tensors.numbers(name, n_rot // 2) if tensors.has(name) else None
    if divisors is not None and not (divisors > 0).all():
        raise GgufError(f"tensor {name} holds numbers that are not positive; the file is damaged")
    return rope_table(n_rot, base, read_scaling(keys), divisors)


def qkv(tensors: Tensors, layer: str, dims: Dimensions) -> Qkv:
    """Q, K and V of block `layer`, from three tensors or from one `attn_qkv`."""
    rows = (dims.n_head * dims.head_dim, dims.n_head_kv * dims.head_dim, dims.n_head_kv * dims.head_dim_v)
    stems = tuple(f"{layer}.attn_{letter}" for letter in "qkv")
    if not tensors.has(f"{layer}.attn_qkv.weight"):
        q, k, v = (tensors.linear(stem, n, dims.n_embd) for stem, n in zip(stems, rows, strict=True))
        return Qkv(q, k, v)
    whole = tensors.linear(f"{layer}.attn_qkv", sum(rows), dims.n_embd)
    q, k, v = (_linear_part(whole, stem, sum(rows[:i]), rows[i]) for i, stem in enumerate(stems))
    return Qkv(q, k, v, whole.weight.name)


def attention(
    tensors: Tensors,
    layer: str,
    dims: Dimensions,
    *,
    rope: RopeKind,
    window: int = 0,
    head_norms: bool = False,
    sinks: bool = False,
) -> AttentionPart:
    """The attention part of block `layer`; `head_norms` and `sinks` ask for tensors that must then be there."""
    return AttentionPart(
        norm=tensors.vector(f"{layer}.attn_norm.weight", dims.n_embd),
        qkv=qkv(tensors, layer, dims),
        out=tensors.linear(f"{layer}.attn_output", dims.n_embd, dims.n_head * dims.head_dim_v),
        n_head=dims.n_head,
        n_head_kv=dims.n_head_kv,
        head_dim=dims.head_dim,
        head_dim_v=dims.head_dim_v,
        scale=dims.head_dim**-0.5,
        rope=rope,
        window=window,
        q_norm=tensors.vector(f"{layer}.attn_q_norm.weight", dims.head_dim) if head_norms else None,
        k_norm=tensors.vector(f"{layer}.attn_k_norm.weight", dims.head_dim) if head_norms else None,
        sinks=tensors.vector(f"{layer}.attn_sinks.weight", dims.n_head) if sinks else None,
    )


def dense(tensors: Tensors, layer: str, norm: Weight, n_embd: int, n_ff: int) -> DensePart:
    """The dense SwiGLU feed-forward of block `layer`."""
    gate = Linear(tensors.matrix(f"{layer}.ffn_gate.weight", n_ff, n_embd))
    up = Linear(tensors.matrix(f"{layer}.ffn_up.weight", n_ff, n_embd))
    down = Linear(tensors.matrix(f"{layer}.ffn_down.weight", n_embd, n_ff))
    return DensePart(norm, GateUp(gate, up), down, n_ff)


def experts(
    tensors: Tensors,
    layer: str,
    norm: Weight,
    n_embd: int,
    mixture: Mixture,
    *,
    gating: Gating,
    renorm: bool,
    activation: Activation = "swiglu",
) -> ExpertsPart:
    """The mixture of block `layer`: router, gate and up, down."""
    return ExpertsPart(
        norm=norm,
        router=tensors.linear(f"{layer}.ffn_gate_inp", mixture.n_expert, n_embd),
        gate_up=_expert_gate_up(tensors, layer, n_embd, mixture),
        down=_expert_linear(tensors, layer, "down", (n_embd, mixture.n_ff), mixture.n_expert),
        n_ff=mixture.n_ff,
        n_expert=mixture.n_expert,
        top_k=mixture.top_k,
        gating=gating,
        renorm=renorm,
        activation=activation,
    )


def whole(keys: Keys, tensors: Tensors, dims: Dimensions, layers: Iterable[Layer]) -> Recipe:
    """A model of these layers between an embedding table and an output that may be the same table."""
    n_vocab = tensors.extent("token_embd.weight", 0)
    embedding = tensors.matrix("token_embd.weight", n_vocab, dims.n_embd)
    tied = not tensors.has("output.weight")
    return Recipe(
        layers=tuple(layers),
        embedding=embedding,
        output_norm=tensors.vector("output_norm.weight", dims.n_embd),
        output=embedding if tied else tensors.matrix("output.weight", n_vocab, dims.n_embd),
        rope_tables=(read_rope(keys, tensors, dims.n_rot),),
        eps=dims.eps,
    )


def _expert_gate_up(tensors: Tensors, layer: str, n_embd: int, mixture: Mixture) -> GateUp:
    """Gate and up of all experts: two tensors, one merged tensor (gate rows first), or a pair of tensors per expert."""
    merged = f"{layer}.ffn_gate_up_exps"
    if not tensors.has(f"{merged}.weight"):
        gate, up = (
            _expert_linear(tensors, layer, role, (mixture.n_ff, n_embd), mixture.n_expert) for role in ("gate", "up")
        )
        return GateUp(gate, up)
    whole = _stacked_linear(tensors, merged, 2 * mixture.n_ff, n_embd, mixture.n_expert)
    gate = _linear_part(whole, f"{layer}.ffn_gate_exps", 0, mixture.n_ff)
    up = _linear_part(whole, f"{layer}.ffn_up_exps", mixture.n_ff, mixture.n_ff)
    return GateUp(gate, up, whole.weight.name)


def _expert_linear(tensors: Tensors, layer: str, role: str, shape: tuple[int, int], n_expert: int) -> Linear:
    stem = f"{layer}.ffn_{role}_exps"
    if tensors.has(f"{stem}.weight") or not tensors.has(f"{layer}.ffn_{role}.0.weight"):
        return _stacked_linear(tensors, stem, *shape, n_expert)
    singles = (tensors.matrix(f"{layer}.ffn_{role}.{e}.weight", *shape) for e in range(n_expert))
    return Linear(joined(f"{stem}.weight", tuple(singles)))


def _stacked_linear(tensors: Tensors, stem: str, rows: int, columns: int, n_expert: int) -> Linear:
    weight = tensors.experts(f"{stem}.weight", n_expert, rows, columns)
    return Linear(weight, tensors.optional_vector(f"{stem}.bias", rows, n_expert))


def _linear_part(whole: Linear, stem: str, first_row: int, rows: int) -> Linear:
    bias = whole.bias
    return Linear(
        part(whole.weight, f"{stem}.weight", first_row, rows),
        part(bias, f"{stem}.bias", first_row, rows) if bias is not None else None,
    )
