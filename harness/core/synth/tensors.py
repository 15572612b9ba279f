"""The tensors of a made model, by architecture: names and shapes as in real files, contents by kind.

Kinds: `weight` (random blocks of its role's format), and in float32 `router`, `norm`, `bias`, `sinks`. An expert's
matrix is the same however the file lays experts out: that is what a tensor's parts name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harness.core.formats.table import BY_NAME, Format
from harness.core.synth.shape import ModelShape

Kind = Literal["weight", "router", "norm", "bias", "sinks"]
_F32 = BY_NAME["F32"]


@dataclass(frozen=True)
class TensorSpec:
    """One tensor before it has contents; `shape` is in NumPy order.

    It is the parts' contents one after another, of equal size; a part's contents depend on its name alone.
    """

    name: str
    kind: Kind
    format: Format
    shape: tuple[int, ...]
    parts: tuple[str, ...]


def tensor_specs(model: ModelShape) -> list[TensorSpec]:
    """All tensors of `model` in file order. Errors: KeyError for an architecture without a recipe."""
    specs = [_weight(model, "token_embd", -1, "token_embd", model.n_vocab, model.n_embd)]
    for layer in range(model.n_layer):
        specs += _LAYERS[model.arch](model, layer)
    return [
        *specs,
        _f32("norm", "output_norm.weight", model.n_embd),
        _weight(model, "output", -1, "output", model.n_vocab, model.n_embd),
    ]


def _weight(model: ModelShape, role: str, layer: int, stem: str, *shape: int) -> TensorSpec:
    return TensorSpec(f"{stem}.weight", "weight", model.format(role, layer), shape, (stem,))


def _f32(kind: Kind, name: str, *shape: int) -> TensorSpec:
    return TensorSpec(name, kind, _F32, shape, (name,))


def _attention(model: ModelShape, layer: int) -> Iterator[TensorSpec]:
    block, rows, rows_kv = f"blk.{layer}", model.n_head * model.head_dim, model.n_head_kv * model.head_dim
    yield _f32("norm", f"{block}.attn_norm.weight", model.n_embd)
    yield _weight(model, "attn_q", layer, f"{block}.attn_q", rows, model.n_embd)
    yield _weight(model, "attn_k", layer, f"{block}.attn_k", rows_kv, model.n_embd)
    yield _weight(model, "attn_v", layer, f"{block}.attn_v", rows_kv, model.n_embd)
    yield _weight(model, "attn_output", layer, f"{block}.attn_output", model.n_embd, rows)


def _dense(model: ModelShape, layer: int) -> Iterator[TensorSpec]:
    block = f"blk.{layer}"
    yield _weight(model, "ffn_gate", layer, f"{block}.ffn_gate", model.n_ff, model.n_embd)
    yield _weight(model, "ffn_up", layer, f"{block}.ffn_up", model.n_ff, model.n_embd)
    yield _weight(model, "ffn_down", layer, f"{block}.ffn_down", model.n_embd, model.n_ff)


def _mixture(model: ModelShape, layer: int) -> Iterator[TensorSpec]:
    block = f"blk.{layer}"
    yield _f32("router", f"{block}.ffn_gate_inp.weight", model.n_expert, model.n_embd)
    up, down = (model.n_ff, model.n_embd), (model.n_embd, model.n_ff)
    if model.experts == "single":
        for role, shape in (("ffn_gate", up), ("ffn_up", up), ("ffn_down", down)):
            for expert in range(model.n_expert):
                yield _weight(model, role, layer, f"{block}.{role}.{expert}", *shape)
        return
    for stem, roles in _expert_tensors(model):
        rows, columns = down if roles == ("ffn_down",) else up
        stacked = (model.n_expert, len(roles) * rows, columns)
        parts = _experts_in_turn(model, block, roles)
        yield TensorSpec(f"{block}.{stem}.weight", "weight", model.format(roles[0], layer), stacked, parts)


def _mixture_biases(model: ModelShape, layer: int) -> Iterator[TensorSpec]:
    block = f"blk.{layer}"
    yield _f32("bias", f"{block}.ffn_gate_inp.bias", model.n_expert)
    for stem, roles in _expert_tensors(model):
        n = model.n_embd if roles == ("ffn_down",) else len(roles) * model.n_ff
        parts = _experts_in_turn(model, f"{block}.bias", roles)
        yield TensorSpec(f"{block}.{stem}.bias", "bias", _F32, (model.n_expert, n), parts)


def _expert_tensors(model: ModelShape) -> list[tuple[str, tuple[str, ...]]]:
    """Stem of each tensor of stacked experts, and the roles that lie in it, in order of rows."""
    if model.experts == "merged":
        return [("ffn_gate_up_exps", ("ffn_gate", "ffn_up")), ("ffn_down_exps", ("ffn_down",))]
    return [(f"{role}_exps", (role,)) for role in ("ffn_gate", "ffn_up", "ffn_down")]


def _experts_in_turn(model: ModelShape, block: str, roles: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{block}.{role}.{expert}" for expert in range(model.n_expert) for role in roles)


def _llama(model: ModelShape, layer: int) -> Iterator[TensorSpec]:
    yield from _attention(model, layer)
    yield _f32("norm", f"blk.{layer}.ffn_norm.weight", model.n_embd)
    yield from _mixture(model, layer) if model.n_expert else _dense(model, layer)


def _qwen3moe(model: ModelShape, layer: int) -> Iterator[TensorSpec]:
    yield from _attention(model, layer)
    yield _f32("norm", f"blk.{layer}.attn_q_norm.weight", model.head_dim)
    yield _f32("norm", f"blk.{layer}.attn_k_norm.weight", model.head_dim)
    yield _f32("norm", f"blk.{layer}.ffn_norm.weight", model.n_embd)
    yield from _mixture(model, layer)


def _gpt_oss(model: ModelShape, layer: int) -> Iterator[TensorSpec]:
    block, rows, rows_kv = f"blk.{layer}", model.n_head * model.head_dim, model.n_head_kv * model.head_dim
    yield from _attention(model, layer)
    yield _f32("bias", f"{block}.attn_q.bias", rows)
    yield _f32("bias", f"{block}.attn_k.bias", rows_kv)
    yield _f32("bias", f"{block}.attn_v.bias", rows_kv)
    yield _f32("bias", f"{block}.attn_output.bias", model.n_embd)
    yield _f32("sinks", f"{block}.attn_sinks.weight", model.n_head)
    yield _f32("norm", f"{block}.post_attention_norm.weight", model.n_embd)
    yield from _mixture(model, layer)
    yield from _mixture_biases(model, layer)


_LAYERS = {"llama": _llama, "qwen3moe": _qwen3moe, "gpt-oss": _gpt_oss}
