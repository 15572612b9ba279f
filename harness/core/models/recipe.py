"""A model as data: its weights, what each layer is made of, and its rotary tables.

A recipe holds no bytes of weights and no decision: plan and program are made from it, and nothing else of the file is
needed for that.
"""

from dataclasses import dataclass, field
from typing import Literal

from harness.core.gguf import GgufFile
from harness.core.program.op import RopeTable

RopeKind = Literal["neox", "norm", "none"]
Gating = Literal["softmax", "sigmoid", "softmax_topk"]
Activation = Literal["swiglu", "swiglu_oai"]


@dataclass(frozen=True)
class Slice:
    """Where one expert's rows (or a whole matrix) begin: byte `offset` of tensor `tensor`; they are contiguous."""

    tensor: str
    offset: int


@dataclass(frozen=True)
class Weight:
    """A logical weight: what the formulas call W, wherever the file keeps its rows.

    `rows` rows of `columns` numbers for each of `n_expert` experts (0: the weight is one matrix). A vector has
    `columns` 0 and its numbers as rows. `slices` has one entry per expert, or one in all.
    """

    name: str
    format: str
    n_expert: int
    rows: int
    columns: int
    row_bytes: int
    slices: tuple[Slice, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """In NumPy order: (rows, columns) or (rows,), with n_expert before it where there are experts."""
        matrix = (self.rows, self.columns) if self.columns else (self.rows,)
        return (self.n_expert, *matrix) if self.n_expert else matrix

    @property
    def slice_bytes(self) -> int:
        """Bytes of one expert's rows, or of the one matrix."""
        return self.rows * self.row_bytes

    @property
    def n_bytes(self) -> int:
        """Bytes of all rows."""
        return len(self.slices) * self.slice_bytes


@dataclass(frozen=True)
class Linear:
    """A matrix with an optional bias."""

    weight: Weight
    bias: Weight | None = None


@dataclass(frozen=True)
class Qkv:
    """The three projections; `merged_name` is set where the file holds them as one tensor."""

    q: Linear
    k: Linear
    v: Linear
    merged_name: str = ""


@dataclass(frozen=True)
class AttentionPart:
    """RMS norm, Q K V, rotary positions, attention, output. `window` 0: every earlier position is seen."""

    norm: Weight
    qkv: Qkv
    out: Linear
    n_head: int
    n_head_kv: int
    head_dim: int
    head_dim_v: int
    scale: float
    rope: RopeKind
    rope_table: int = 0
    window: int = 0
    q_norm: Weight | None = None
    k_norm: Weight | None = None
    sinks: Weight | None = None


@dataclass(frozen=True)
class GateUp:
    """The gate and up matrices of a feed-forward part; `merged_name` is set where the file holds them as one tensor."""

    gate: Linear
    up: Linear
    merged_name: str = ""


@dataclass(frozen=True)
class DensePart:
    """RMS norm and a gated feed-forward of `n_ff` columns."""

    norm: Weight
    gate_up: GateUp
    down: Linear
    n_ff: int
    activation: Activation = "swiglu"


@dataclass(frozen=True)
class ExpertsPart:
    """RMS norm, router and experts; see op.py for the meaning of gating, renorm and weight_scale."""

    norm: Weight
    router: Linear
    gate_up: GateUp
    down: Linear
    n_ff: int
    n_expert: int
    top_k: int
    gating: Gating = "softmax"
    renorm: bool = True
    weight_scale: float = 1.0
    activation: Activation = "swiglu"


@dataclass(frozen=True)
class Layer:
    """One block: attention, then a dense or a mixture feed-forward."""

    attention: AttentionPart
    feed_forward: DensePart | ExpertsPart


@dataclass(frozen=True)
class Recipe:
    """What an architecture's module makes of a file. `output` may be the embedding table itself."""

    layers: tuple[Layer, ...]
    embedding: Weight
    output_norm: Weight
    output: Weight
    rope_tables: tuple[RopeTable, ...]
    eps: float


@dataclass(frozen=True)
class Model:
    """A file that was understood. `n_params` and `size_bytes` are the file's own, whatever is merged later."""

    file: GgufFile = field(repr=False)
    arch: str
    name: str
    recipe: Recipe = field(repr=False)
    n_embd: int
    n_vocab: int
    n_ctx_train: int
    n_params: int
    size_bytes: int

    @property
    def n_layer(self) -> int:
        """Blocks in the file."""
        return len(self.recipe.layers)

    @property
    def n_expert(self) -> int:
        """Experts per layer, 0 for a dense model."""
        return max((part.n_expert for part in self._experts()), default=0)

    @property
    def top_k(self) -> int:
        """Experts used per token, 0 for a dense model."""
        return max((part.top_k for part in self._experts()), default=0)

    def _experts(self) -> tuple[ExpertsPart, ...]:
        parts = (layer.feed_forward for layer in self.recipe.layers)
        return tuple(part for part in parts if isinstance(part, ExpertsPart))
