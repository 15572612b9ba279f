"""Collects the launches of one run of a program. What operations are made of is here: products, norms, quantisation.

A list of launches is good for every position of its KV bucket: the position itself stands in device memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.core.cuda.api import Address, Argument, KernelName, Launch
from harness.core.cuda.rooms import Rooms
from harness.core.cuda.weights import DeviceTensor
from harness.core.errors import UnsupportedError
from harness.core.program.op import Op

TILE = 8
"""Tokens a product's thread takes at a time; see kernels/product.cu."""
MMA_ROWS, MMA_TILE, MMA_THREADS = 128, 64, 256
"""A block's rows, tokens and threads in kernels/tile_mma.cuh."""

LARGEST_GRID = 65_535
"""Of a grid's second and third dimension."""
MMA_TOKENS = 16
"""From so many tokens a matrix (on average: an expert) is multiplied by mma, see kernels/tile_mma.cuh. A guess: no card
has been at hand to measure where the two cross, and the bits are the same on both sides."""

Inputs = tuple[Address | None, Address | None, Address | None]
"""Activations as kernels take them: float values, or int8 codes and scales."""


@dataclass(frozen=True)
class KvBuffers:
    """Keys and values of one layer: f16 [n_ctx, n_head_kv, head_dim]."""

    keys: Address
    values: Address


@dataclass(frozen=True)
class RopeBuffers:
    """float32 [n_ctx, half] each."""

    cosines: Address
    sines: Address
    half: int


@dataclass(frozen=True)
class Standing:
    """What a context keeps on the device: run-time inputs, tables, caches and counts."""

    tokens: Address
    position: Address
    kv: tuple[KvBuffers, ...]
    rope: tuple[RopeBuffers, ...]
    counts: Address  # int32 [n_layer, n_expert]
    n_expert: int


@dataclass(frozen=True)
class Extent:
    """The shape of one run: tokens of the ubatch, KV chunks of the bucket, rows of logits (0, 1 or n_tokens)."""

    n_tokens: int
    n_chunks: int
    n_logits: int


@dataclass(frozen=True)
class Routing:
    """Experts of every slot: ids and weights [T, top_k], slots by expert and where each expert's begin."""

    ids: Address
    weights: Address
    order: Address
    bounds: Address
    n_slots: int
    top_k: int

    @classmethod
    def room(cls, rooms: Rooms, n_slots: int, n_expert: int, top_k: int) -> "Routing":
        """Scratch memory for one layer's routing."""
        ids, weights, order = (rooms.scratch(f"slot {what}", 4 * n_slots) for what in ("experts", "weights", "order"))
        bounds = rooms.scratch("slot bounds", 4 * (n_expert + 1))
        return cls(ids, weights, order, bounds, n_slots, top_k)

    def arguments(self, per_input: int) -> tuple[Argument, ...]:
        """What the experts' kernels take; `per_input` slots share one row of activations."""
        return self.order, self.bounds, integer(per_input)


class Launches:
    """The launches so far, and what the next ones need to know."""

    def __init__(
        self, weights: Mapping[tuple[str, str], DeviceTensor], rooms: Rooms, standing: Standing, extent: Extent
    ) -> None:
        self.collected: list[Launch] = []
        self.rooms = rooms
        self.standing = standing
        self.extent = extent
        self.routing: dict[str, Routing] = {}
        self._weights = weights

    def add(self, kernel: KernelName, grid: tuple[int, int, int], threads: int, *args: Argument) -> None:
        """One more launch. Errors: UnsupportedError for a grid that no card takes."""
        if max(grid[1:]) > LARGEST_GRID:
            raise UnsupportedError(
                f"{kernel.entry} would need {max(grid[1:]):,} blocks, more than CUDA's {LARGEST_GRID:,}; "
                "use a smaller ubatch"
            )
        self.collected.append(Launch(kernel, grid, threads, args))

    def weight(self, op: Op, role: str) -> DeviceTensor:
        """The weight of that role."""
        return self._weights[op.weights[role], op.device]

    def bias(self, op: Op, role: str) -> Address | None:
        """The bias of that role, or None."""
        return self.weight(op, f"{role}_bias").address if f"{role}_bias" in op.weights else None

    def quantized(self, weight: DeviceTensor, x: Address, n_rows: int | None = None) -> Inputs:
        """The inputs as the weight's format wants them: as they are, or quantised into scratch memory."""
        if not weight.is_quantized:
            return x, None, None
        n_blocks = (self.extent.n_tokens if n_rows is None else n_rows) * weight.columns // 32
        codes, scales = self.rooms.scratch("codes", n_blocks * 32), self.rooms.scratch("scales", n_blocks * 4)
        self.add(
            KernelName("quantize", "quantize"), (-(-n_blocks // 8), 1, 1), 256, x, codes, scales, integer(n_blocks)
        )
        return None, codes, scales

    def normalize(self, x: Address, norm: DeviceTensor, y: Address, n_vectors: int, eps: float) -> None:
        args = (x, norm.address, y, integer(norm.columns), np.float32(eps))
        self.add(KernelName("norm", "rms_norm"), (n_vectors, 1, 1), 128, *args)

    def product(
        self, op: Op, role: str, inputs: Inputs, y: Address, residual: Address | None, n: int | None = None
    ) -> None:
        weight = self.weight(op, role)
        n_tokens = self.extent.n_tokens if n is None else n
        self.rows_product(weight, 0, weight.rows, inputs, self.bias(op, role), residual, y, n_tokens)

    def rows_product(
        self,
        weight: DeviceTensor,
        first: int,
        rows: int,
        inputs: Inputs,
        bias: Address | None,
        residual: Address | None,
        y: Address,
        n_tokens: int,
    ) -> None:
        shape = (weight.address, weight.stride, integer(first), integer(rows), integer(weight.columns))
        ends = (bias, residual, y, integer(rows), integer(n_tokens))
        if use_mma(weight, n_tokens):
            grid = (-(-rows // MMA_ROWS), -(-n_tokens // MMA_TILE), 1)
            name = KernelName("product_mma", "product_mma", weight.format)
            self.add(name, grid, MMA_THREADS, *shape, *inputs[1:], *ends)
            return
        name = KernelName("product", "product", weight.format)
        self.add(name, (-(-rows // 128), -(-n_tokens // TILE), 1), 128, *shape, *inputs, *ends)


def use_mma(weight: DeviceTensor, n_tokens: int) -> bool:
    """Whether `n_tokens` rows of activations meet this weight on tensor cores."""
    return weight.is_quantized and n_tokens >= MMA_TOKENS


def integer(value: int) -> np.int32:
    """A kernel's int."""
    return np.int32(value)
