"""The dimensions of a model to be made, and the format of each kind of tensor in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.core.formats.table import BY_NAME, Format

Experts = Literal["stacked", "merged", "single"]
"""How experts lie in the file: gate and up apart, gate over up in one tensor, or one tensor per expert as of old."""

FormatOf = Callable[[str, int, int], str]
"""(role, layer, n_layer) -> format name.

Roles: token_embd output attn_q attn_k attn_v attn_output ffn_gate ffn_up ffn_down; merged experts play ffn_gate.
"""


@dataclass(frozen=True)
class ModelShape:
    """Everything that decides which tensors a made model has; `n_expert` 0 makes a dense model.

    `keys` are further metadata, named without the architecture's prefix.
    """

    arch: str
    n_layer: int
    n_embd: int
    n_head: int
    n_head_kv: int
    head_dim: int
    n_ff: int
    n_vocab: int
    format_of: FormatOf
    n_expert: int = 0
    top_k: int = 0
    experts: Experts = "stacked"
    tokenizer: str = "gpt-2"
    keys: Mapping[str, bool | int | float | str] = field(default_factory=dict)

    def format(self, role: str, layer: int = -1) -> Format:
        """Format of the weights that play `role` in block `layer`. KeyError for an unknown format."""
        return BY_NAME[self.format_of(role, layer, self.n_layer)]


def by_role(formats: Mapping[str, str]) -> FormatOf:
    """The same formats in all layers; role `default` stands for all that are not named."""
    return lambda role, _layer, _n_layer: formats[role] if role in formats else formats["default"]
