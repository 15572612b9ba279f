"""Metadata of a made model: what engines insist on, under the keys real files use."""

from harness.core.gguf.writer import Value
from harness.core.synth.shape import ModelShape
from harness.core.synth.vocabulary import vocabulary


def model_metadata(model: ModelShape, name: str) -> dict[str, Value]:
    """All metadata of `model`, vocabulary included."""
    keys: dict[str, Value] = {
        "block_count": model.n_layer,
        "context_length": 4096,
        "embedding_length": model.n_embd,
        "feed_forward_length": model.n_ff,
        "attention.head_count": model.n_head,
        "attention.head_count_kv": model.n_head_kv,
        "attention.key_length": model.head_dim,
        "attention.value_length": model.head_dim,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": model.head_dim,
        "rope.freq_base": 10000.0,
        "vocab_size": model.n_vocab,
    }
    if model.n_expert:
        keys |= {"expert_count": model.n_expert, "expert_used_count": model.top_k}
        keys["expert_feed_forward_length"] = model.n_ff
    return {
        "general.architecture": model.arch,
        "general.name": name,
        "general.quantization_version": 2,
        **{f"{model.arch}.{key}": value for key, value in (keys | dict(model.keys)).items()},
        **vocabulary(model.n_vocab, model.tokenizer),
    }
