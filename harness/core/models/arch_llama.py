"""Architecture `llama`: Llama, SmolLM2, Mistral; with experts (Mixtral), stacked or as one tensor per expert."""

from harness.core.models import blocks
from harness.core.models.keys import Keys
from harness.core.models.recipe import DensePart, ExpertsPart, Layer, Recipe
from harness.core.models.tensors import Tensors

NAME = "llama"


def recipe(keys: Keys, tensors: Tensors) -> Recipe:
    """Rotary positions turn neighbouring pairs; a mixture renormalises its softmax over the chosen experts."""
    dims = blocks.read_dimensions(keys)
    mixture = blocks.read_mixture(keys)
    window = keys.integer("attention.sliding_window", 0, low=0)
    layers = (
        Layer(
            blocks.attention(tensors, f"blk.{i}", dims, rope="norm", window=window),
            _feed_forward(tensors, f"blk.{i}", dims.n_embd, mixture),
        )
        for i in range(dims.n_layer)
    )
    return blocks.whole(keys, tensors, dims, layers)


def _feed_forward(tensors: Tensors, layer: str, n_embd: int, mixture: blocks.Mixture) -> DensePart | ExpertsPart:
    norm = tensors.vector(f"{layer}.ffn_norm.weight", n_embd)
    if mixture.n_expert == 0:
        return blocks.dense(tensors, layer, norm, n_embd, mixture.n_ff)
    return blocks.experts(tensors, layer, norm, n_embd, mixture, gating="softmax", renorm=True)
