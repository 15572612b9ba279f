"""Runs one kernel of probes.cu, or of any folder of sources, on arrays."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cuda.api import Address, Argument, KernelName, Launch
from harness.core.cuda.dense import ACTIVATIONS
from harness.core.cuda.emulator.device import EmulatedDevice, Schedule
from harness.core.cuda.sources import KERNELS

Array = NDArray[Any]


def probe_sources(folder: Path) -> Path:
    """A folder of kernels that holds probes.cu and what it includes."""
    shutil.copy(Path(__file__).parent / "probes.cu", folder)
    shutil.copy(KERNELS / "gpu.cuh", folder)
    return folder


def activated(device: EmulatedDevice, kind: str, gate: Array, up: Array) -> Array:
    """What the device's kernels make of one row of gate and up."""
    buffers = [Address(device.allocate(gate.nbytes, "activations")) for _ in range(3)]
    for address, values in zip(buffers, (gate, up), strict=False):
        device.upload(address, values)
    n = np.int32(gate.size)
    args = (*buffers[:2], n, n, np.int32(ACTIVATIONS[kind]), buffers[2])
    device.launch(Launch(KernelName("combine", "activate_rows"), (-(-gate.size // 128), 1, 1), 128, args))
    return device.download(buffers[2], gate.nbytes).view(np.float32)


class Prober:
    """An emulated device for single launches."""

    def __init__(self, sources: Path, *, checked: bool = True, schedule: Schedule = Schedule.FORWARD) -> None:
        self.device = EmulatedDevice(checked=checked, schedule=schedule, seed=5, sources=sources)

    def run(
        self, entry: str, threads: int, *args: Array | np.int32 | np.float32, grid: Sequence[int] = (1, 1, 1)
    ) -> list[Array]:
        """Every array argument as the kernel leaves it; the others go as they are."""
        addresses = [self._place(arg) for arg in args]
        x, y, z = grid
        self.device.launch(Launch(KernelName("probes", entry), (x, y, z), threads, tuple(addresses)))
        self.device.synchronize()
        return [
            self.device.download(address, arg.nbytes).view(arg.dtype).reshape(arg.shape)
            for address, arg in zip(addresses, args, strict=True)
            if isinstance(arg, np.ndarray) and isinstance(address, Address)
        ]

    def _place(self, arg: Array | np.int32 | np.float32) -> Argument:
        if not isinstance(arg, np.ndarray):
            return arg
        address = Address(self.device.allocate(arg.nbytes, "probe"))
        self.device.upload(address, arg)
        return address
