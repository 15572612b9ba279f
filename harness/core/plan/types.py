"""The plan's records: which bytes of which file go to which address of which device, and what was merged.

A plan is pure data: making one reads no weights. Every byte of every tensor the program uses is
placed exactly once per device that holds it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from harness.core.options import Options
from harness.core.plan.placement import Placement


@dataclass(frozen=True)
class Piece:
    """`n_bytes` of shard `shard` at `file_offset` (absolute) land at `dest_offset` of the stored tensor's row form.

    Where columns are cut off, the bytes are `n_runs` equal runs, `stride` bytes from start to start in the file and
    without gap where they land.
    """

    tensor: str
    shard: int
    file_offset: int
    n_bytes: int
    dest_offset: int
    n_runs: int = 1
    stride: int = 0

    @property
    def run_bytes(self) -> int:
        """Bytes of one run."""
        return self.n_bytes // self.n_runs

    @property
    def span_bytes(self) -> int:
        """Bytes of the file from the first byte to the last."""
        return (self.n_runs - 1) * self.stride + self.run_bytes


@dataclass(frozen=True)
class StoredTensor:
    """One weight as a device holds it.

    `shape` is in NumPy order, last axis contiguous: (rows, columns) or (n_expert, rows, columns), vectors (columns,).
    `format` is the block format's name. `pieces` fill the tensor's row form (rows of `row_bytes` each) in
    ascending `dest_offset` without gap or overlap. `layout` "mapped" keeps the row form in the file's
    mapping (one piece, no merge), "rows" copies it, "packed" is the row form re-laid by the backend's packer,
    "borrowed" has no bytes on the device until they are needed.
    """

    name: str
    device: str
    format: str
    shape: tuple[int, ...]
    row_bytes: int
    layout: str
    pieces: tuple[Piece, ...]

    @property
    def n_rows(self) -> int:
        """Rows over all experts."""
        n = 1
        for extent in self.shape[:-1]:
            n *= extent
        return n

    @property
    def n_bytes(self) -> int:
        """Bytes of the row form."""
        return self.n_rows * self.row_bytes


@dataclass(frozen=True)
class MergeDecision:
    """What became of one possible merge in one layer: `done`, and why not otherwise."""

    kind: str  # "up_gate" | "qkv" | "up_gate_shared"
    layer: int
    done: bool
    reason: str


@dataclass(frozen=True)
class Loan:
    """Whether `borrower` multiplies a layer's experts, which lie on `lender`, in large ubatches, and why or why not."""

    layer: int
    lender: str
    borrower: str
    done: bool
    reason: str


@dataclass(frozen=True)
class Plan:
    """Placement, merges and layout for one model under one set of options.

    `borrowed` are experts' matrices that lie on another device and come to theirs for ubatches of `lends_from` tokens
    or more (0: never), expert by expert; `lends_measured` says whether that number was measured to pay.
    """

    options: Options
    tensors: tuple[StoredTensor, ...]
    merges: tuple[MergeDecision, ...]
    placement: Placement
    model_size_bytes: int
    n_params: int
    loans: tuple[Loan, ...] = ()
    borrowed: tuple[StoredTensor, ...] = ()
    lends_from: int = 0
    lends_measured: bool = False

    @property
    def layer_devices(self) -> tuple[tuple[str, ...], ...]:
        """The devices that take part in each layer."""
        return tuple(layer.devices for layer in self.placement.layers)

    @property
    def devices(self) -> tuple[str, ...]:
        """All devices that do something."""
        return self.placement.devices

    def holds(self, name: str, device: str) -> bool:
        """Whether that device has a tensor of that name, or borrows it."""
        return (name, device) in self._index

    def loan_in(self, layer: int) -> Loan | None:
        """What was decided about borrowing the layer's experts, if anything had to be."""
        return next((loan for loan in self.loans if loan.layer == layer), None)

    @cached_property
    def _index(self) -> Mapping[tuple[str, str], StoredTensor]:
        return {(stored.name, stored.device): stored for stored in (*self.tensors, *self.borrowed)}

    def tensor(self, name: str, device: str) -> StoredTensor:
        """The stored tensor of that name on that device; KeyError if the plan has none."""
        return self._index[name, device]
