"""Collects the launches of one run of a program. What operations are made of is here: products, norms, quantisation.

A list of launches is good for every position of its KV bucket: the position itself stands in device memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.core.cuda.api import Address, Argument, KernelName, Launch
from harness.core.cuda.kv_cache import KvBuffers
from harness.core.cuda.rooms import Rooms
from harness.core.cuda.shapes import SMALLEST_TILE, THREADS, shape_for
from harness.core.cuda.weights import DeviceTensor
from harness.core.errors import UnsupportedError
from harness.core.program.op import Op

NORM_TILE = 16
"""Heads a block normalises; see kernels/norm.cu."""
TILE_BYTES = 16
"""Of an entry of the list of tiles, see kernels/tiles.cuh."""
LARGEST_GRID = 65_535
"""Of a grid's second and third dimension."""
Inputs = tuple[Address | None, Address | None, Address | None]
"""Activations as kernels take them: float values, or int8 codes and scales."""


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
        self.as_codes: frozenset[str] = frozenset()
        """Values of experts that are left quantised, see experts.py."""
        self._listed: tuple[Routing, int] | None = None

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
        return self.weight(op, f"{role}_bias").row(0) if f"{role}_bias" in op.weights else None

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
        """Rows of a value."""
        args = (x, norm.row(0), y, integer(norm.columns), np.float32(eps))
        self.add(KernelName("norm", "rms_norm"), (n_vectors, 1, 1), 128, *args)

    def normalize_heads(self, heads: Address, norm: DeviceTensor, n_vectors: int, eps: float) -> None:
        """Short vectors, in place."""
        args = (heads, norm.row(0), integer(n_vectors), integer(norm.columns), np.float32(eps))
        self.add(KernelName("norm", "norm_heads"), (-(-n_vectors // NORM_TILE), 1, 1), 128, *args)

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
        matrix = (weight.address, weight.stride, integer(first), integer(rows), integer(weight.columns))
        ends = (bias, residual, y, integer(rows), integer(n_tokens))
        shape = shape_for(n_tokens, quantized=weight.is_quantized)
        name = KernelName(shape.source("product"), f"product{shape.suffix}", weight.format)
        taken = inputs[1:] if shape.is_mma else inputs
        self.add(name, shape.grid(rows, -(-n_tokens // shape.tokens)), THREADS, *matrix, *taken, *ends)

    def tiles(self, routing: Routing, n_expert: int, tile_slots: int) -> tuple[Address, int]:
        """A list of tiles of at most `tile_slots` slots of one expert each, and how many it may have at most.

        It is made on the device, which alone knows what each expert got, unless the last one made is the same.
        """
        most = min(routing.n_slots, routing.n_slots // tile_slots + n_expert)
        room = self.rooms.scratch("slot tiles", TILE_BYTES * (routing.n_slots // SMALLEST_TILE + n_expert))
        if self._listed is None or self._listed[0] is not routing or self._listed[1] != tile_slots:
            args = (routing.bounds, integer(n_expert), integer(tile_slots), integer(most), room)
            self.add(KernelName("tiles", "list_tiles"), (1, 1, 1), 32, *args)
            self._listed = routing, tile_slots
        return room, most


def integer(value: int) -> np.int32:
    """A kernel's int."""
    return np.int32(value)
