"""Weights of the CPU backend: memory reserved, filled and checked natively.

`cpu:N` names a set of cores; on a machine with one memory node all of them share memory and threads.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cpu.context import CpuContext
from harness.core.cpu.member import CpuMember
from harness.core.cpu.native_module import native
from harness.core.cpu.segments import CpuSegments
from harness.core.errors import LoadError, OutOfMemoryError, UnsupportedError
from harness.core.options import Options
from harness.core.plan.types import StoredTensor
from harness.core.program.op import Op, Program
from harness.core.program.segments import Script


class CpuBackend:
    """See `harness.core.backend.Backend`. `kernels` names the instruction set to use, the best one if empty."""

    def __init__(self, options: Options, kernels: str = "") -> None:
        self._options = options
        self._kernels = kernels or native().kernel_names()[-1]
        self._matrices: dict[tuple[str, str], Any] = {}

    @property
    def kernels(self) -> str:
        """The instruction set in use: "scalar", "avx2" or "avx512"."""
        return self._kernels

    def allocate(self, tensor: StoredTensor) -> None:
        matrix = self._matrix(tensor)
        try:
            matrix.allocate()
        except MemoryError as error:
            raise OutOfMemoryError(
                f"{tensor.name} needs {tensor.n_bytes:,} bytes, more than the host has left; "
                "use fewer layers, a smaller model or layout mapped"
            ) from error
        self._matrices[tensor.name, tensor.device] = matrix

    def place(self, tensor: StoredTensor, first_row: int, rows: NDArray[np.uint8]) -> None:
        try:
            self._matrices[tensor.name, tensor.device].place(first_row, np.ascontiguousarray(rows))
        except ValueError as error:
            raise LoadError(f"{tensor.name} cannot be placed: {error}") from error

    def rows_in_place(self, tensor: StoredTensor) -> NDArray[np.uint8] | None:
        if tensor.layout != "rows":
            return None
        rows: NDArray[np.uint8] = self._matrices[tensor.name, tensor.device].rows_in_place()
        return rows.reshape(tensor.n_rows, tensor.row_bytes)

    def map(self, tensor: StoredTensor, data: NDArray[np.uint8]) -> None:
        matrix = self._matrix(tensor)
        try:
            matrix.map(data)
        except ValueError as error:
            raise LoadError(f"{tensor.name} cannot be mapped: {error}") from error
        self._matrices[tensor.name, tensor.device] = matrix

    def context(self, program: Program, options: Options) -> CpuContext:
        return CpuContext(program, options, self._matrices, self._kernels)

    def segments(self, script: Script, options: Options) -> CpuSegments:
        return CpuSegments(script, options, self._matrices, self._kernels)

    def member(self, script: Script, lifetimes: Sequence[Op], options: Options) -> CpuMember:
        """As `segments`, for a program of which CPU devices alone have parts; errors as of `CpuMember`."""
        return CpuMember(script, lifetimes, options, self._matrices, self._kernels)

    def close(self) -> None:
        self._matrices = {}

    def _matrix(self, tensor: StoredTensor) -> Any:
        """Errors: UnsupportedError for a format without a decoder, LoadError for a shape that lies."""
        if tensor.format not in native().formats():
            raise UnsupportedError(f"{tensor.name} is {tensor.format}, which the CPU backend cannot decode")
        try:
            packed, small = tensor.layout.startswith("packed"), tensor.layout == "packed_small"
            return native().Matrix(tensor.format, _extent(tensor), tensor.row_bytes, _halves(tensor), packed, small)
        except ValueError as error:
            raise LoadError(f"{tensor.name} has an impossible shape: {error}") from error


def _extent(tensor: StoredTensor) -> tuple[int, int, int]:
    """Experts, rows, columns; a vector is one row, the vectors of experts are rows."""
    *outer, columns = tensor.shape
    rows = outer[-1] if outer else 1
    experts = outer[0] if len(outer) > 1 else 1
    return experts, rows, columns


def _halves(tensor: StoredTensor) -> int:
    """2 for gate and up in one weight, whose rows are used in pairs."""
    return 2 if "ffn_gate_up" in tensor.name and tensor.name.endswith(".weight") else 1
