"""What a backend must do; `reference`, `cpu` and `cuda` each have one implementation.

A backend owns the weights of its devices (loaded once, merged once) and any number of contexts,
one after another. Data flows in as plan and program, out as logits.
"""

from collections.abc import Mapping
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from harness.core.options import Options
from harness.core.plan.types import StoredTensor
from harness.core.program.op import Program, Sizes
from harness.core.program.segments import Script

LogitsOf = Literal["none", "last", "all"]


class Context(Protocol):
    """KV cache and scratch for one stream of tokens."""

    def run(self, tokens: NDArray[np.int32], position: int, logits_of: LogitsOf) -> NDArray[np.float32] | None:
        """One ubatch: `tokens` [T] enter at `position`; logits [1, n_vocab] or [T, n_vocab] come back if asked for.

        Returns once the device has finished.
        """
        ...

    def expert_counts(self) -> NDArray[np.int64]:
        """[n_layer, n_expert] (token, expert) pairs routed since the context was made; [n_layer, 0] if dense."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class ProfilesOps(Protocol):
    """A context that can also time every operation of a run."""

    def run_profiled(
        self, tokens: NDArray[np.int32], position: int, logits_of: LogitsOf
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.int64]]:
        """As `Context.run`, and [n_ops] nanoseconds."""
        ...


@runtime_checkable
class TimesSizes(Protocol):
    """A context of several devices, some of whose operations are for some numbers of tokens alone."""

    def ns_by_sizes(self) -> Mapping[Sizes, int]:
        """Nanoseconds that devices have spent in operations of these sizes since the context was made."""
        ...


class Segments(Protocol):
    """KV cache and scratch of one device that does a part of every ubatch; what lies between is not its business."""

    def run_segment(
        self, index: int, tokens: NDArray[np.int32], position: int, given: Mapping[str, NDArray[np.float32]]
    ) -> dict[str, NDArray[np.float32]]:
        """All operations of one of the script's segments for `tokens` [T], which stand at `position`.

        `given` has the segment's inputs, float32 [T, columns] each, and its outputs come back in the same form, once
        the device has finished. Activations of experts are [T, top_k * n_ff], decoded; logits are of all T tokens.
        """
        ...

    def expert_counts(self) -> NDArray[np.int64]:
        """As `Context.expert_counts`, of what this device routed."""
        ...

    def close(self) -> None: ...


class Backend(Protocol):
    """Weights on one or more devices of a kind."""

    def allocate(self, tensor: StoredTensor) -> None:
        """Reserve the memory `tensor` needs in its layout. Errors: OutOfMemoryError naming tensor and bytes."""
        ...

    def place(self, tensor: StoredTensor, first_row: int, rows: NDArray[np.uint8]) -> None:
        """Take row-form bytes [n, row_bytes] of rows first_row.. ; packs on the way. Thread-safe for disjoint rows."""
        ...

    def map(self, tensor: StoredTensor, data: NDArray[np.uint8]) -> None:
        """Use the file's own mapping (layout "mapped"); `data` is kept alive by the backend."""
        ...

    def context(self, program: Program, options: Options) -> Context:
        """A fresh context of options.n_ctx positions."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class HoldsRows(Protocol):
    """A backend some of whose tensors lie in the host's memory as the file has them, so that a read can fill them."""

    def rows_in_place(self, tensor: StoredTensor) -> NDArray[np.uint8] | None:
        """The tensor's own memory, [n_rows, row_bytes], to be filled instead of `place`; None where that re-lays."""
        ...


class Rows(Protocol):
    """Rows of one tensor that lie in the host's memory."""

    def __call__(self, first_row: int, n_rows: int) -> NDArray[np.uint8]:
        """As the file has them, [n_rows, row_bytes], at most a chunk of plan/lending.py; good until the next call.

        Errors: LoadError, GgufError.
        """
        ...


class Borrows(Protocol):
    """A backend that can multiply with experts that are not placed: it asks for those that a ubatch needs."""

    def borrow(self, tensor: StoredTensor, rows: Rows) -> None:
        """`tensor` has layout "borrowed". Errors: UnsupportedError for a format without kernels."""
        ...


@runtime_checkable
class OfACard(Protocol):
    """A backend of one CUDA device."""

    @property
    def architecture(self) -> int:
        """Its compute capability, 86 for 8.6."""
        ...


class DeviceBackend(Backend, Protocol):
    """Weights on one device, which may have a part in a program of several."""

    def segments(self, script: Script, options: Options) -> Segments:
        """As `context`, for a program of which this device runs `script` alone."""
        ...
