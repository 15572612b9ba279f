"""Models that can be made: the real ones' dimensions and formats, and tiny ones for tests.

Sources: config.json of openai/gpt-oss-20b and Qwen/Qwen3-30B-A3B; ggml-org's gpt-oss-20b-mxfp4.gguf for its formats;
the per-tensor rules of llama-quantize in ik_llama.cpp and llama.cpp for IQ2_XXS.
"""

from dataclasses import replace

from harness.core.errors import UnsupportedError
from harness.core.synth.shape import FormatOf, ModelShape, by_role
from harness.core.synth.vocabulary import MIN_TOKENS

_GPT_OSS_KEYS: dict[str, bool | int | float | str] = {
    "context_length": 131_072,
    "attention.sliding_window": 128,
    "rope.freq_base": 150_000.0,
    "rope.scaling.type": "yarn",
    "rope.scaling.factor": 32.0,
    "rope.scaling.original_context_length": 4096,
}

_GPT_OSS = ModelShape(
    arch="gpt-oss",
    n_layer=24,
    n_embd=2880,
    n_head=64,
    n_head_kv=8,
    head_dim=64,
    n_ff=2880,
    n_vocab=201_088,
    n_expert=32,
    top_k=4,
    format_of=by_role({"default": "Q8_0", "ffn_gate": "MXFP4", "ffn_up": "MXFP4", "ffn_down": "MXFP4"}),
    tokenizer="gpt-4o",
    keys=_GPT_OSS_KEYS,
)


def _iq2_xxs(others: dict[str, str]) -> FormatOf:
    """llama-quantize's IQ2_XXS: the first eighth of the down projections in Q2_K, `others` as they say."""

    def format_of(role: str, layer: int, n_layer: int) -> str:
        if role == "ffn_down" and layer < n_layer // 8:
            return "Q2_K"
        return others.get(role, "IQ2_XXS")

    return format_of


def _q4_k_m(role: str, layer: int, n_layer: int) -> str:
    """llama-quantize's Q4_K_M: Q4_K; Q6_K for the head, V and down in the outer eighths and every third layer."""
    more = layer < n_layer // 8 or layer >= 7 * n_layer // 8 or (layer - n_layer // 8) % 3 == 2
    return "Q6_K" if role == "output" or (role in ("attn_v", "ffn_down") and more) else "Q4_K"


_IK_MIX = {
    "token_embd": "Q2_K",
    "attn_q": "Q4_K",
    "attn_k": "Q4_K",
    "attn_v": "IQ4_K",
    "attn_output": "Q5_K",
    "output": "Q5_K",
}
_MAINLINE_MIX = {"token_embd": "Q2_K", "attn_v": "Q4_K", "output": "Q5_K"}

_QWEN3 = ModelShape(
    arch="qwen3moe",
    n_layer=48,
    n_embd=2048,
    n_head=32,
    n_head_kv=4,
    head_dim=128,
    n_ff=768,
    n_vocab=151_936,
    n_expert=128,
    top_k=8,
    format_of=_iq2_xxs(_IK_MIX),
    tokenizer="qwen2",
    keys={
        "context_length": 40_960,
        "feed_forward_length": 6144,
        "rope.freq_base": 1_000_000.0,
        "attention.layer_norm_rms_epsilon": 1e-6,
    },
)

_TINY_LLAMA = ModelShape(
    arch="llama",
    n_layer=2,
    n_embd=288,
    n_head=6,
    n_head_kv=2,
    head_dim=64,
    n_ff=416,
    n_vocab=331,
    format_of=by_role({"default": "Q8_0", "ffn_gate": "Q4_0", "ffn_up": "Q4_0", "ffn_down": "Q4_1"}),
)
_TINY_GPT_OSS = replace(
    _GPT_OSS,
    n_layer=3,
    n_embd=288,
    n_head=6,
    n_head_kv=2,
    n_ff=160,
    n_vocab=331,
    n_expert=8,
    top_k=3,
    tokenizer="gpt-2",
    keys=_GPT_OSS_KEYS | {"attention.sliding_window": 12},
)
_TINY_QWEN3 = replace(
    _QWEN3,
    n_layer=3,
    n_embd=256,
    n_head=8,
    n_head_kv=2,
    head_dim=64,
    n_ff=256,
    n_vocab=331,
    n_expert=8,
    top_k=3,
    format_of=_iq2_xxs(_IK_MIX | {"attn_v": "Q4_K"}),  # so that mainline loads it
    tokenizer="gpt-2",
)

PRESETS: dict[str, ModelShape] = {
    "gpt-oss-20b": _GPT_OSS,
    "qwen3-30b-a3b-iq2_xxs": _QWEN3,
    "qwen3-30b-a3b-iq2_xxs-mainline": replace(_QWEN3, format_of=_iq2_xxs(_MAINLINE_MIX)),
    "qwen3-30b-a3b-q4_k_m": replace(_QWEN3, format_of=_q4_k_m),
    "tiny-llama": _TINY_LLAMA,
    "tiny-mixtral": replace(_TINY_LLAMA, n_ff=160, n_expert=8, top_k=2),
    "tiny-gpt-oss": _TINY_GPT_OSS,
    "tiny-gpt-oss-merged": replace(_TINY_GPT_OSS, experts="merged"),
    "tiny-qwen3moe": _TINY_QWEN3,
    "tiny-qwen3moe-merged": replace(_TINY_QWEN3, experts="merged"),
}


def cut(preset: str, layers: int | None, vocab: int | None, n_expert: int | None = None) -> ModelShape:
    """The preset with `layers` layers and `vocab` tokens, which defaults to the same share as that of the layers.

    `n_expert`: so many experts instead of its own, each of the same shape.
    Errors: UnsupportedError for an unknown preset, more layers than it has, fewer experts than a token takes.
    """
    if preset not in PRESETS:
        raise UnsupportedError(f"There is no preset {preset!r}; there are {', '.join(PRESETS)}.")
    whole = PRESETS[preset]
    n_layer = whole.n_layer if layers is None else layers
    if not 1 <= n_layer <= whole.n_layer:
        raise UnsupportedError(f"Preset {preset} has 1 to {whole.n_layer} layers, not {n_layer}.")
    if n_expert is not None and not 1 <= whole.top_k <= n_expert:
        why = f"each token takes {whole.top_k}" if whole.top_k else "it has none"
        raise UnsupportedError(f"Preset {preset} cannot have {n_expert} experts, since {why}.")
    share = max(MIN_TOKENS, whole.n_vocab * n_layer // whole.n_layer)
    n_vocab = share if vocab is None else vocab
    return replace(whole, n_layer=n_layer, n_vocab=n_vocab, n_expert=whole.n_expert if n_expert is None else n_expert)
