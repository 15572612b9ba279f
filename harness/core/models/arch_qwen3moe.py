"""Architecture `qwen3moe`: per-head norms of Q and K before the rotation, softmax over all experts, renormalised."""

from harness.core.models import blocks
from harness.core.models.keys import Keys
from harness.core.models.recipe import Layer, Recipe
from harness.core.models.tensors import Tensors

NAME = "qwen3moe"


def recipe(keys: Keys, tensors: Tensors) -> Recipe:
    """Every layer is a mixture with full attention."""
    dims = blocks.read_dimensions(keys)
    mixture = blocks.read_mixture(keys, needed=True)
    layers = (_layer(tensors, f"blk.{i}", dims, mixture) for i in range(dims.n_layer))
    return blocks.whole(keys, tensors, dims, layers)


def _layer(tensors: Tensors, layer: str, dims: blocks.Dimensions, mixture: blocks.Mixture) -> Layer:
    attention = blocks.attention(tensors, layer, dims, rope="neox", head_norms=True)
    norm = tensors.vector(f"{layer}.ffn_norm.weight", dims.n_embd)
    return Layer(attention, blocks.experts(tensors, layer, norm, dims.n_embd, mixture, gating="softmax", renorm=True))
