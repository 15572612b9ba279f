"""Made models on disk: random weights in real shapes and formats, the same bytes for the same seed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.core.gguf.writer import write_gguf, write_split
from harness.core.synth.fill import Filler
from harness.core.synth.metadata import model_metadata
from harness.core.synth.presets import PRESETS, cut
from harness.core.synth.shape import Experts, ModelShape, by_role
from harness.core.synth.tensors import tensor_specs


def write_model(out: Path, model: ModelShape, name: str, *, seed: int = 0, n_files: int = 1) -> list[Path]:
    """Write `model` with random weights to `out`, or beside it in `n_files` files; returns the files' paths."""
    filler = Filler(seed)
    sources = [filler.source(spec) for spec in tensor_specs(model)]
    metadata = model_metadata(model, name)
    if n_files > 1:
        return write_split(out, metadata, sources, n_files)
    write_gguf(out, metadata, sources)
    return [out]


def write_preset(
    preset: str,
    out: Path,
    *,
    layers: int | None = None,
    vocab: int | None = None,
    n_expert: int | None = None,
    seed: int = 0,
) -> None:
    """Write the preset model, cut to `layers` and `vocab`, with `n_expert` experts instead of its own.

    With fewer layers and no `vocab`, the vocabulary shrinks in proportion: the head keeps its share of the bytes.
    Errors: UnsupportedError for an unknown preset or a size it cannot have.
    """
    model = cut(preset, layers, vocab, n_expert)
    whole = PRESETS[preset]
    experts = f"{n_expert} experts, " if n_expert is not None else ""
    cut_to = f"{model.n_layer}/{whole.n_layer} layers, {model.n_vocab} tokens"
    name = f"{preset} stand-in ({cut_to}, {experts}random weights)"
    write_model(out, model, name, seed=seed)


def write_tiny(
    out: Path,
    arch: str,
    formats: Mapping[str, str],
    *,
    experts: Experts = "stacked",
    seed: int = 0,
    n_files: int = 1,
    **dimensions: int,
) -> list[Path]:
    """Write a small model of `arch` ("llama", "mixtral", "qwen3moe" or "gpt-oss") in any mix of formats.

    `formats` maps roles (see `synth.shape.FormatOf`; "default" for the rest) to format names. `dimensions` replace
    fields of the tiny preset: n_layer, n_embd, n_head, n_head_kv, head_dim, n_ff, n_vocab, n_expert, top_k.
    Widths must be multiples of the formats' blocks. Returns the files' paths.
    """
    tiny = replace(PRESETS[f"tiny-{arch}"], **dimensions)  # type: ignore[arg-type]
    model = replace(tiny, format_of=by_role(formats), experts=experts)
    return write_model(out, model, f"tiny {arch}", seed=seed, n_files=n_files)
