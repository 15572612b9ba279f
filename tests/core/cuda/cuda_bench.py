"""Single operations of one model on an emulated device, beside the reference."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import LogitsOf
from harness.core.cuda.api import Address
from harness.core.cuda.backend import CudaBackend
from harness.core.cuda.context import OPS, CudaContext
from harness.core.cuda.emulator.device import EmulatedDevice
from harness.core.cuda.launches import Extent, Launches, Routing
from harness.core.gguf import open_gguf
from harness.core.loader import load_weights
from harness.core.models import read_model
from harness.core.options import Options
from harness.core.plan import make_plan
from harness.core.program.build import build_program
from harness.core.program.op import Op
from harness.core.reference.context import ReferenceContext
from harness.core.reference.state import Routing as ReferenceRouting
from harness.core.session import Session

N_CTX = 300
"""More than one chunk of attention, and no multiple of one."""


class Bench:
    """One model on an emulated device and on the q8 reference, compared operation by operation.

    Every operation gets the reference's inputs, so an error is charged to the operation that made it.
    """

    def __init__(self, path: Path, device: EmulatedDevice, **options: object) -> None:
        chosen = Options(devices=("cuda-emulated:0",), n_ctx=N_CTX, ubatch=33, **options)  # type: ignore[arg-type]
        self.device = device
        with open_gguf(path) as file:
            model = read_model(file)
            plan = make_plan(model, chosen)
            self.program = build_program(model, plan)
            backend = CudaBackend(device)
            load_weights(plan, file, backend)
        self.context: CudaContext = backend.context(self.program, chosen)

    def run_op(
        self, op: Op, inputs: list[object], n_tokens: int, position: int, logits_of: LogitsOf = "all"
    ) -> NDArray[np.float32]:
        """Output [T, columns] of one operation for the given inputs (routing: ids as float32)."""
        context, device = self.context, self.device
        n_logits = {"none": 0, "last": 1, "all": n_tokens}[logits_of]
        extent = Extent(n_tokens, context._bucket(position + n_tokens), n_logits)
        device.upload(context._standing.position, np.array([position], np.int32))
        launches = Launches(context._weights, context._rooms, context._standing, extent)
        for name, value in zip(op.inputs, inputs, strict=True):
            if isinstance(value, ReferenceRouting):
                launches.routing[name] = self._upload_routing(value)
            else:
                device.upload(context._rooms.value(name), np.ascontiguousarray(value, np.float32))
        OPS[op.name](launches, op)
        for launch in launches.collected:
            device.launch(launch)
        return self._output(op, launches, n_tokens, n_logits)

    def _upload_routing(self, value: ReferenceRouting) -> Routing:
        n_expert = self.context._standing.n_expert
        routing = Routing.room(self.context._rooms, value.experts.size, n_expert, value.experts.shape[1])
        flat = value.experts.ravel()
        bounds = np.concatenate([[0], np.cumsum(np.bincount(flat, minlength=n_expert))])
        self.device.upload(routing.weights, value.weights)
        self.device.upload(routing.order, np.argsort(flat, kind="stable").astype(np.int32))
        self.device.upload(routing.bounds, bounds.astype(np.int32))
        return routing

    def _output(self, op: Op, launches: Launches, n_tokens: int, n_logits: int) -> NDArray[np.float32]:
        name = op.outputs[0]
        if op.name == "route":
            routing = launches.routing[name]
            ids = self._read(routing.ids, routing.n_slots).view(np.int32).astype(np.float32)
            weights = self._read(routing.weights, routing.n_slots)
            return np.stack([ids, weights])
        if op.name == "logits":
            n_bytes = n_logits * self.program.n_vocab * 4
            room = self.context._rooms.scratch("logits" if n_logits == 1 else "logits of a prompt", n_bytes)
            return self._read(room, n_logits * self.program.n_vocab)
        columns = next(value.columns for value in self.program.values if value.name == name)
        return self._read(self.context._rooms.value(name), n_tokens * columns)

    def _read(self, at: Address, n: int) -> NDArray[np.float32]:
        return self.device.download(at, n * 4).view(np.float32)

    def upload_tokens(self, tokens: NDArray[np.int32]) -> None:
        """The tokens that `embed` looks up."""
        self.device.upload(self.context._standing.tokens, tokens)

    def upload_caches(self, reference: ReferenceContext, n_positions: int) -> None:
        """The first positions of every layer's keys and values, as the reference holds them."""
        for held, known in zip(self.context._standing.kv, reference._kv, strict=True):
            self.device.upload(held.keys, known.keys[:n_positions])
            self.device.upload(held.values, known.values[:n_positions])


def reference_of(path: Path, **options: object) -> ReferenceContext:
    """A fresh context of the q8 reference, with the same merges, so that values have the same names."""
    session = Session.open(path, Options(devices=("reference-q8",), n_ctx=N_CTX, **options))  # type: ignore[arg-type]
    context = session._context
    assert isinstance(context, ReferenceContext)
    return context
