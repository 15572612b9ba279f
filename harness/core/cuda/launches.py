"""Collects the launches of one run of a program. What operations are made of is here: products, norms, quantisation.

A list of launches is good for every position of its KV bucket: the position itself stands in device memory.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np

from harness.core.cuda.api import Address, Argument, KernelName, Launch
from harness.core.cuda.forms import FLOATS, Forms
from harness.core.cuda.kv_cache import KvBuffers
from harness.core.cuda.rooms import Rooms
from harness.core.cuda.shapes import SMALLEST_TILE, THREADS, shape_for
from harness.core.cuda.weights import DeviceTensor
from harness.core.errors import UnsupportedError
from harness.core.program.op import Op

MOST_PARTS = 3
"""Matrices that one launch multiplies; see kernels/parts.cuh."""
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


class Part(NamedTuple):
    """Rows `first` .. of a matrix, and where their products with all tokens go, [T, rows]."""

    weight: DeviceTensor
    first: int
    rows: int
    bias: Address | None
    y: Address

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """As kernels/parts.cuh takes them."""
        return self.weight.address, integer(self.first), integer(self.rows), self.bias, self.y


NO_PART: tuple[Argument, ...] = (None, np.int32(0), np.int32(0), None, None)


class Launches:
    """The launches so far, and what the next ones need to know."""

    def __init__(
        self,
        weights: Mapping[tuple[str, str], DeviceTensor],
        rooms: Rooms,
        standing: Standing,
        extent: Extent,
        architecture: int,
    ) -> None:
        self.collected: list[Launch] = []
        self.rooms = rooms
        self.standing = standing
        self.extent = extent
        self.architecture = architecture
        self.routing: dict[str, Routing] = {}
        self._weights = weights
        self.wanted: Mapping[str, Forms] = {}
        """Forms of values that are not left as floats alone, see forms.py."""
        self._left: dict[str, Inputs] = {}
        self._listed: tuple[Routing, int] | None = None

    def add(self, kernel: KernelName, grid: tuple[int, int, int], threads: int, *args: Argument) -> None:
        """One more launch. Errors: UnsupportedError for a grid that no card takes."""
        if max(grid[1:]) > LARGEST_GRID:
            raise UnsupportedError(
                f"{kernel.entry} would need {max(grid[1:]):,} blocks, more than CUDA's {LARGEST_GRID:,}; "
                "use a smaller ubatch"
            )
        self.collected.append(Launch(kernel, grid, threads, args))

    def of(self, emit: "Callable[[Launches, Op], None]", op: Op) -> list[Launch]:
        """The launches that one operation adds."""
        first = len(self.collected)
        emit(self, op)
        return self.collected[first:]

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

    def leave(self, name: str, n: int) -> Inputs:
        """Where `n` numbers of a value go, in the forms wanted of it: null where one is not."""
        at, form = self.rooms.value(name), self.wanted.get(name, FLOATS)
        if not form.codes:
            return at, None, None
        behind = at._replace(offset=n * 4 if form.floats else 0)
        self._left[name] = (at if form.floats else None, behind, behind._replace(offset=behind.offset + n))
        return self._left[name]

    def taken(self, weight: DeviceTensor, name: str, n_rows: int | None = None) -> Inputs:
        """A value as the weight's format wants it: as it was left, or quantised now."""
        if weight.is_quantized and name in self._left:
            return None, *self._left[name][1:]
        return self.quantized(weight, self.rooms.value(name), n_rows)

    def product(
        self, op: Op, role: str, inputs: Inputs, y: Address, residual: Address | None, n: int | None = None
    ) -> None:
        """One weight with these inputs."""
        weight = self.weight(op, role)
        part = Part(weight, 0, weight.rows, self.bias(op, role), y)
        self._multiply([part], inputs, residual, self.extent.n_tokens if n is None else n)

    def products(self, parts: Sequence[Part], name: str) -> None:
        """Several matrices with the value `name`: one launch for those of one format."""
        inputs: dict[bool, Inputs] = {}  # quantised once for all that want it so
        for _, group in groupby(sorted(parts, key=_format_of), key=_format_of):
            same = list(group)
            weight = same[0].weight
            if weight.is_quantized not in inputs:
                inputs[weight.is_quantized] = self.taken(weight, name)
            self._multiply(same, inputs[weight.is_quantized], None, self.extent.n_tokens)

    def _multiply(self, parts: Sequence[Part], inputs: Inputs, residual: Address | None, n_tokens: int) -> None:
        weight = parts[0].weight
        shape = shape_for(n_tokens, weight.format, self.architecture)
        name = KernelName(shape.source("product"), f"product{shape.suffix}", weight.format)
        matrices = [argument for part in parts for argument in part.arguments]
        missing = NO_PART * (MOST_PARTS - len(parts))
        taken = inputs[1:] if shape.is_mma else inputs
        grid = shape.grid([part.rows for part in parts], -(-n_tokens // shape.tokens))
        args = (*matrices, *missing, weight.stride, integer(weight.columns), *taken, residual, integer(n_tokens))
        self.add(name, grid, THREADS, *args)

    def tiles(self, routing: Routing, n_expert: int, tile_slots: int) -> tuple[Address, int]:
        """Slots by expert and a list of tiles of at most `tile_slots` of one expert each; how many it may have at most.

        Both are made on the device, which alone knows what each expert got, unless the last one made is the same.
        """
        most = min(routing.n_slots, routing.n_slots // tile_slots + n_expert)
        room = self.rooms.scratch("slot tiles", TILE_BYTES * (routing.n_slots // SMALLEST_TILE + n_expert))
        if self._listed is None or self._listed[0] is not routing or self._listed[1] != tile_slots:
            slots = (routing.ids, integer(routing.n_slots), routing.order, routing.bounds)
            self.add(KernelName("route", "sort_slots"), (n_expert, 1, 1), 32, *slots)
            args = (routing.bounds, integer(n_expert), integer(tile_slots), integer(most), room)
            self.add(KernelName("tiles", "list_tiles"), (1, 1, 1), 32, *args)
            self._listed = routing, tile_slots
        return room, most


def _format_of(part: Part) -> str:
    return part.weight.format


def integer(value: int) -> np.int32:
    """A kernel's int."""
    return np.int32(value)
