"""Stand-ins cut to size: the vocabulary shrinks with the layers, so that the head keeps its share of the bytes."""

from dataclasses import dataclass, replace

from harness.records.case import StandIn

VOCAB_STEP = 32
MIN_VOCAB = 288
"""The smallest multiple of 32 that has room for all bytes and the control tokens."""


@dataclass(frozen=True)
class Shape:
    """How large a preset is, uncut."""

    n_layers: int
    n_vocab: int


PRESETS = {
    "gpt-oss-20b": Shape(24, 201_088),
    "qwen3-30b-a3b-iq2_xxs": Shape(48, 151_936),
    "qwen3-30b-a3b-iq2_xxs-mainline": Shape(48, 151_936),
    "qwen3-30b-a3b-q4_k_m": Shape(48, 151_936),
    "tiny-llama": Shape(2, 331),
    "tiny-mixtral": Shape(2, 331),
    "tiny-gpt-oss": Shape(3, 331),
    "tiny-gpt-oss-merged": Shape(3, 331),
    "tiny-qwen3moe": Shape(3, 331),
    "tiny-qwen3moe-merged": Shape(3, 331),
}
"""The core's presets; a test keeps them equal, since importing them costs what `validate` must not."""


def cut(stand_in: StandIn, layers: int | None) -> StandIn:
    """`stand_in` with at most `layers` layers; a vocabulary given in the config stays as it is."""
    shape = PRESETS[stand_in.preset]
    wanted = [n for n in (stand_in.layers, layers) if n]
    n_layers = min([shape.n_layers, *wanted])
    if n_layers == shape.n_layers:
        return replace(stand_in, layers=None)
    return replace(stand_in, layers=n_layers, vocab=stand_in.vocab or scaled_vocab(shape, n_layers))


def scaled_vocab(shape: Shape, n_layers: int) -> int:
    """The multiple of 32 nearest to the vocabulary's share."""
    return max(MIN_VOCAB, round(shape.n_vocab * n_layers / shape.n_layers / VOCAB_STEP) * VOCAB_STEP)
