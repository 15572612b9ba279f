"""Architecture `gpt-oss`: biases everywhere, attention sinks, every other layer with a window, clamped SwiGLU, YaRN."""

from harness.core.models import blocks
from harness.core.models.keys import Keys
from harness.core.models.recipe import Layer, Recipe
from harness.core.models.tensors import Tensors

NAME = "gpt-oss"


def recipe(keys: Keys, tensors: Tensors) -> Recipe:
    """Even layers see `attention.sliding_window` positions, odd layers all; softmax is over the chosen logits only."""
    dims = blocks.read_dimensions(keys)
    mixture = blocks.read_mixture(keys, needed=True)
    window = keys.integer("attention.sliding_window")
    layers = (_layer(tensors, f"blk.{i}", dims, mixture, window if i % 2 == 0 else 0) for i in range(dims.n_layer))
    return blocks.whole(keys, tensors, dims, layers)


def _layer(tensors: Tensors, layer: str, dims: blocks.Dimensions, mixture: blocks.Mixture, window: int) -> Layer:
    attention = blocks.attention(tensors, layer, dims, rope="neox", window=window, sinks=True)
    norm = tensors.vector(f"{layer}.post_attention_norm.weight", dims.n_embd)
    feed_forward = blocks.experts(
        tensors, layer, norm, dims.n_embd, mixture, gating="softmax_topk", renorm=False, activation="swiglu_oai"
    )
    return Layer(attention, feed_forward)
