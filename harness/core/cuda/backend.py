"""The CUDA backend: weights in one device's memory and contexts that run programs on them."""

import threading
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import Rows
from harness.core.cuda.api import Address, Buffer, Device
from harness.core.cuda.borrowing import Borrowed, Borrowing
from harness.core.cuda.context import CudaContext
from harness.core.cuda.member import CudaMember
from harness.core.cuda.segments import CudaSegments
from harness.core.cuda.sources import formats
from harness.core.cuda.weights import DeviceTensor
from harness.core.errors import DeviceError, UnsupportedError
from harness.core.options import Options
from harness.core.plan.types import StoredTensor
from harness.core.program.op import Op, Program
from harness.core.program.segments import Script


class CudaBackend:
    """Serves `cuda:N` and `cuda-emulated:N`; the two differ in the `Device` alone."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._weights: dict[tuple[str, str], DeviceTensor] = {}
        self._borrowed: dict[tuple[str, str], Borrowed] = {}
        self._borrowing: Borrowing | None = None
        self._staging: Buffer | None = None
        self._uploading = threading.Lock()  # a stream is one queue; the loader's readers are several

    @property
    def device(self) -> Device:
        """The one that it serves."""
        return self._device

    @property
    def architecture(self) -> int:
        """See `harness.core.backend.OfACard`."""
        return self._device.properties.compute_capability

    def allocate(self, tensor: StoredTensor) -> None:
        _require_kernels(tensor)
        self._weights[tensor.name, tensor.device] = DeviceTensor.on(self._device, tensor)

    def place(self, tensor: StoredTensor, first_row: int, rows: NDArray[np.uint8]) -> None:
        with self._uploading:
            self._weights[tensor.name, tensor.device].place(self._device, self._staged, first_row, rows)

    def borrow(self, tensor: StoredTensor, rows: Rows) -> None:
        """See `harness.core.backend.Borrows`."""
        _require_kernels(tensor)
        self._borrowed[tensor.name, tensor.device] = Borrowed(tensor, rows)

    def map(self, tensor: StoredTensor, data: NDArray[np.uint8]) -> None:  # noqa: ARG002  the protocol has it
        raise DeviceError(f"{tensor.name}: layout mapped needs a CPU device; use layout auto")

    def context(self, program: Program, options: Options) -> CudaContext:
        self._drop_staging()
        return CudaContext(self._device, program, options, self._weights)

    def segments(self, script: Script, options: Options) -> CudaSegments:
        self._drop_staging()
        if self._borrowing is None:
            self._borrowing = Borrowing(self._device, self._borrowed)
        return CudaSegments(self._device, script, options, self._weights, self._borrowing)

    def member(
        self, program: Program, script: Script, lifetimes: Sequence[Op], options: Options, landed: Collection[str]
    ) -> CudaMember:
        """As `segments`, for a `program` of which CUDA devices alone have parts."""
        self._drop_staging()
        return CudaMember(self._device, program, script, lifetimes, options, self._weights, landed)

    def close(self) -> None:
        self._drop_staging()
        self._weights, self._borrowed, self._borrowing = {}, {}, None
        self._device.close()

    def _staged(self, n_bytes: int) -> Address:
        """Device memory for rows on their way to their places: one chunk of the loader, as its stream is one queue."""
        if self._staging is None or self._staging.n_bytes < n_bytes:
            self._drop_staging()
            self._staging = self._device.allocate(n_bytes, "the loader's staging memory")
        return Address(self._staging)

    def _drop_staging(self) -> None:
        if self._staging is not None:
            self._device.synchronize()
            self._staging = None


def _require_kernels(tensor: StoredTensor) -> None:
    if tensor.format not in formats():
        raise UnsupportedError(
            f"{tensor.name} is {tensor.format}, for which there are no CUDA kernels; use device cpu:0"
        )
