"""Single operations of one model on a device, beside the q8 reference.

Every operation gets the reference's inputs, so an error is charged to the operation that made it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import Backend
from harness.core.cuda.api import Address, Device
from harness.core.cuda.backend import CudaBackend
from harness.core.cuda.context import OPS, CudaContext
from harness.core.cuda.dense import logits_room
from harness.core.cuda.kv_cache import BLOCK, KvSide
from harness.core.cuda.launches import Extent, Launches, Routing
from harness.core.gguf import open_gguf
from harness.core.loader import load_weights
from harness.core.models import read_model
from harness.core.options import Options
from harness.core.plan import make_plan
from harness.core.program.build import build_program
from harness.core.program.op import Op, Program
from harness.core.reference import ReferenceBackend
from harness.core.reference.context import Values
from harness.core.reference.state import KvCache
from harness.core.reference.state import Routing as Expected

N_CTX = 300
"""More than one chunk of attention, and no multiple of one."""
UBATCH = 66
UNTOUCHED = 0xA5
"""Not the emulator's poison: NaN and anything is NaN, and would look untouched."""
F16_TOLERANCE = 1e-3
"""Relative L2 to the reference's of attention by f16 mma. All else has the reference's bits."""


@dataclass(frozen=True)
class Finding:
    """How far one result of one operation is from the reference's, and how far it may be."""

    op: Op
    what: str
    distance: float
    tolerance: float

    @property
    def is_right(self) -> bool:
        """Whether it is near enough; NaN is not."""
        return self.distance <= self.tolerance

    def __str__(self) -> str:
        text = (
            f"{self.op.name} of layer {self.op.layer}, {self.what}: {self.distance:.2e}, allowed {self.tolerance:.0e}"
        )
        return text if self.is_right else f"{text}  WRONG"


@dataclass(frozen=True)
class Trace:
    """What the reference computed for tokens entering at `position`: all values by name, and the caches after it."""

    tokens: NDArray[np.int32]
    position: int
    values: Values
    kv: tuple[KvCache, ...]


class ReferenceSide:
    """The q8 reference of one model, with the same merges as the device, so that values have the same names."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.options = options
        self._backend = ReferenceBackend("reference-q8")
        self._chosen = _chosen("reference-q8", options)
        self._program = load_model(path, self._chosen, self._backend)
        self._known: dict[tuple[int, int], Trace] = {}

    def trace(self, n_tokens: int, position: int) -> Trace:
        """Random tokens, the same ones for the same arguments."""
        key = (n_tokens, position)
        if key not in self._known:
            random = np.random.default_rng(position)
            tokens = random.integers(0, self._program.n_vocab, position + n_tokens).astype(np.int32)
            context = self._backend.context(self._program, self._chosen)
            if position:
                context.run(tokens[:position], 0, "none")
            values = context.trace(tokens[position:], position)
            self._known[key] = Trace(tokens[position:], position, values, context.kv)
        return self._known[key]


class Proof:
    """One model on a device, compared with its reference operation by operation."""

    def __init__(self, device: Device, reference: ReferenceSide) -> None:
        self._device = device
        self._reference = reference
        chosen = _chosen("cuda:0", reference.options)
        backend = CudaBackend(device)
        self.program = load_model(reference.path, chosen, backend)
        self._context: CudaContext = backend.context(self.program, chosen)

    def findings(self, n_tokens: int, position: int, only: Collection[str] = ()) -> Iterator[Finding]:
        """Every operation, or `only` those of these names, on the inputs the reference had."""
        trace = self._reference.trace(n_tokens, position)
        self._device.upload(self._context.standing.tokens, trace.tokens)
        self._device.upload(self._context.standing.position, np.array([position], np.int32))
        self._upload_caches(trace, position)
        for op in self.program.ops:
            if only and op.name not in only:
                continue
            if op.name == "attention":  # the reference's keys, or an f16 rounded the other way would be charged to it
                self._upload_caches(trace, position + n_tokens)
            yield from self._compare(op, trace, self._run(op, trace))

    def _run(self, op: Op, trace: Trace) -> Launches:
        n_tokens = len(trace.tokens)
        launches = self._context.begin(Extent(n_tokens, self._context.bucket(trace.position + n_tokens), n_tokens))
        for name in op.inputs:
            value = trace.values[name]
            if isinstance(value, Expected):
                launches.routing[name] = self._upload_routing(value)
            else:
                self._device.upload(self._context.rooms.value(name), np.ascontiguousarray(value, np.float32))
        for name in op.outputs:
            if not isinstance(trace.values[name], Expected) and op.name != "logits":
                room = self._context.rooms.value(name)
                self._device.upload(room, np.full(room.buffer.n_bytes, UNTOUCHED, np.uint8))
        OPS[op.name](launches, op)
        for launch in launches.collected:
            self._device.launch(launch)
        return launches

    def _compare(self, op: Op, trace: Trace, launches: Launches) -> Iterator[Finding]:
        name = op.outputs[0]
        expected, tolerance = trace.values[name], self._tolerance(op)
        if isinstance(expected, Expected):
            routing = launches.routing[name]
            chosen = self._floats(routing.ids, routing.n_slots).view(np.int32)
            yield Finding(op, "experts", float((chosen != expected.experts.ravel()).sum()), 0.0)
            weights = self._floats(routing.weights, routing.n_slots)
            yield Finding(op, "weights", distance(weights, expected.weights.ravel()), tolerance)
            return
        n_bytes = expected.size * 4
        room = self._context.rooms.value(name) if op.name != "logits" else self._logits(len(trace.tokens), n_bytes)
        yield Finding(op, "result", distance(self._floats(room, expected.size), expected.ravel()), tolerance)
        if op.name != "logits":
            behind = self._device.download(room._replace(offset=n_bytes), room.buffer.n_bytes - n_bytes)
            yield Finding(op, "bytes written behind the result", float((behind != UNTOUCHED).sum()), 0.0)
        if op.name == "qkv":
            yield from self._compare_caches(op, trace)

    def _tolerance(self, op: Op) -> float:
        return F16_TOLERANCE if op.name == "attention" and op.params["flash"] else 0.0

    def _compare_caches(self, op: Op, trace: Trace) -> Iterator[Finding]:
        slot = int(op.params["slot"])
        held, known = self._context.standing.kv[slot], trace.kv[slot]
        for what, side, rows in (("keys", held.keys, known.keys), ("values", held.values, known.values)):
            own = rows[trace.position : trace.position + len(trace.tokens)]
            found = self._kept(side, trace.position * rows[0].size, own.size)
            yield Finding(op, what, distance(found, own.ravel()), 0.0)

    def _kept(self, side: KvSide, first: int, n: int) -> NDArray[np.float32]:
        """`n` numbers of a cache from `first` on, as attention reads them back."""
        if side.scales is None:
            found = self._device.download(side.numbers._replace(offset=first * 2), n * 2)
            return found.view(np.float16).astype(np.float32)
        codes = self._device.download(side.numbers._replace(offset=first), n).view(np.int8)
        scales = self._device.download(side.scales._replace(offset=first // BLOCK * 2), n // BLOCK * 2)
        return (scales.view(np.float16).astype(np.float32)[:, None] * codes.reshape(-1, BLOCK)).ravel()

    def _upload_routing(self, value: Expected) -> Routing:
        n_expert = self._context.standing.n_expert
        routing = Routing.room(self._context.rooms, value.experts.size, n_expert, value.experts.shape[1])
        self._device.upload(routing.ids, value.experts.ravel().astype(np.int32))
        self._device.upload(routing.weights, value.weights)
        return routing

    def _upload_caches(self, trace: Trace, n_positions: int) -> None:
        """The first positions of every layer's keys and values, as the reference holds them."""
        if n_positions == 0:
            return
        for held, known in zip(self._context.standing.kv, trace.kv, strict=True):
            self._keep(held.keys, known.keys[:n_positions])
            self._keep(held.values, known.values[:n_positions])

    def _keep(self, side: KvSide, rows: NDArray[np.floating]) -> None:
        """The rows from position 0 on. A block of q8_0 has a code of 127, or nothing but zeros."""
        if side.scales is None:
            self._device.upload(side.numbers, rows)
            return
        blocks = rows.reshape(-1, BLOCK)
        scales = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
        codes = np.divide(blocks, scales, out=np.zeros_like(blocks), where=scales > 0)
        self._device.upload(side.numbers, np.rint(codes).astype(np.int8))
        self._device.upload(side.scales, scales.astype(np.float16))

    def _logits(self, n_rows: int, n_bytes: int) -> Address:
        return logits_room(self._context.rooms, n_rows, n_bytes)

    def _floats(self, at: Address, n: int) -> NDArray[np.float32]:
        return self._device.download(at, n * 4).view(np.float32)


def distance(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Relative L2 of `found` to `expected`; NaN when either holds one."""
    wide = expected.astype(np.float64)
    return float(np.linalg.norm(found.astype(np.float64) - wide) / np.linalg.norm(wide))


def _chosen(device: str, options: Mapping[str, Any]) -> Options:
    return Options(devices=(device,), n_ctx=N_CTX, ubatch=UBATCH, **options)


def load_model(path: Path, chosen: Options, backend: Backend) -> Program:
    """The model's weights into `backend`; its program. Errors: as the loader."""
    with open_gguf(path) as file:
        model = read_model(file)
        plan = make_plan(model, chosen)
        program = build_program(model, plan)
        load_weights(plan, file, backend)
    return program
