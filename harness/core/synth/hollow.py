"""A made model's file without its weights: all that a plan reads, at the cost of a header."""

from pathlib import Path

from harness.core.gguf.writer import write_hollow
from harness.core.synth.fill import Filler
from harness.core.synth.metadata import model_metadata
from harness.core.synth.presets import cut
from harness.core.synth.tensors import tensor_specs


def write_hollow_preset(
    preset: str, out: Path, *, layers: int | None = None, vocab: int | None = None, n_expert: int | None = None
) -> None:
    """Write what `write_preset` would, with a hole (which takes no room on disk) where the weights would be."""
    model, filler = cut(preset, layers, vocab, n_expert), Filler(0)
    tensors = [filler.source(spec) for spec in tensor_specs(model)]
    write_hollow(out, model_metadata(model, f"{preset} stand-in"), tensors)
