"""What each operation takes on a card, by events around replayed graphs, beside the time its bytes and products need.

The bound is max(bytes / bandwidth, products / rate): bandwidth as a copy on this card reaches it just now, rate as the
card's clock and tensor cores allow it on paper. Only a card is timed; the emulator's time means nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from harness.core.cuda.api import Launch
from harness.core.cuda.backend import CudaBackend
from harness.core.cuda.bounds import least_ns, paper_macs_per_ns
from harness.core.cuda.device import CudaDevice
from harness.core.cuda.launches import Extent
from harness.core.cuda.limits import copy_bytes_per_s
from harness.core.gguf import open_gguf
from harness.core.loader import load_weights
from harness.core.models import read_model
from harness.core.options import Options
from harness.core.plan import make_plan
from harness.core.program.build import build_program
from harness.core.program.costs import Load, op_cost
from harness.core.synth import write_preset

STAND_IN = {"gpt-oss-20b": 1, "qwen3-30b-a3b-iq2_xxs": 1}
"""Presets that are timed, and how many of their layers."""
UBATCHES = (512, 1)


@dataclass(frozen=True)
class Timed:
    """One operation at one ubatch; `bound_ns` is what it could not be faster than."""

    model: str
    n_tokens: int
    op: str
    kernels: str
    took_ns: int
    bound_ns: float

    def __str__(self) -> str:
        share = self.bound_ns / self.took_ns if self.took_ns else 0.0
        where = f"{self.model:<22}{self.n_tokens:>5} tokens  {self.op:<12}"
        return f"{where}{self.took_ns / 1e3:>10.1f} us{self.bound_ns / 1e3:>10.1f} us{share:>7.0%}  {self.kernels}"


def time_operations(device: CudaDevice) -> Iterator[Timed]:
    """Every operation of one layer of the real models' shapes, with random weights. Errors: DeviceError."""
    bandwidth = copy_bytes_per_s(device) / 1e9
    with TemporaryDirectory(prefix="harness-timing-") as folder:
        for preset, layers in STAND_IN.items():
            path = Path(folder) / f"{preset}.gguf"
            write_preset(preset, path, layers=layers)
            yield from _time_model(device, preset, path, bandwidth)
            path.unlink()


def bound_ns(device: CudaDevice, macs: float, n_bytes: float, bandwidth: float) -> float:
    """The least time for so many products and bytes."""
    found = device.properties
    rate = paper_macs_per_ns(found.compute_capability, found.n_multiprocessors, device.clock_hz)
    return least_ns(macs, n_bytes, rate, bandwidth)


def _time_model(device: CudaDevice, preset: str, path: Path, bandwidth: float) -> Iterator[Timed]:
    options = Options(devices=("cuda:0",), n_ctx=max(UBATCHES), ubatch=max(UBATCHES))
    backend = CudaBackend(device)
    with open_gguf(path) as file:
        model = read_model(file)
        plan = make_plan(model, options)
        program = build_program(model, plan)
        load_weights(plan, file, backend)
    context = backend.context(program, options)
    for n_tokens in UBATCHES:
        context.run(np.zeros(n_tokens, np.int32), 0, "last")  # what each operation reads is there now
        launches = context.launches_by_op(Extent(n_tokens, context.bucket(n_tokens), 1))
        for op, own in zip(program.ops, launches, strict=True):
            cost = op_cost(op, plan, Load(n_tokens, 0, 1))
            took = device.time_ns(device.capture(own).launch)
            bound = bound_ns(device, cost.macs, cost.weight_bytes + cost.kv_bytes, bandwidth)
            yield Timed(preset, n_tokens, op.name, _names(own), took, bound)


def _names(launches: list[Launch]) -> str:
    return " ".join(dict.fromkeys(launch.kernel.entry for launch in launches))
