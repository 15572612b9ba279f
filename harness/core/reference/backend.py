"""The reference backend: NumPy, on the host, in two modes. It defines what the other backends must compute."""

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import OutOfMemoryError
from harness.core.options import Options
from harness.core.plan.layout import kind_of
from harness.core.plan.types import StoredTensor
from harness.core.program.op import Program
from harness.core.program.segments import Script
from harness.core.reference.context import ReferenceContext
from harness.core.reference.products import FloatProduct, Product, Q8Product
from harness.core.reference.segments import ReferenceSegments
from harness.core.reference.weights import Room, Stored, stored_weight


class ReferenceBackend:
    """Device `reference` multiplies in float32; `reference-q8` quantises activations as the kernels do."""

    def __init__(self, device: str) -> None:
        self._product: Product = Q8Product() if kind_of(device) == "reference-q8" else FloatProduct()
        self._weights: dict[tuple[str, str], Stored] = {}
        self._room = Room()

    def allocate(self, tensor: StoredTensor) -> None:
        try:
            data = np.empty((tensor.n_rows, tensor.row_bytes), np.uint8)
        except MemoryError as error:
            raise OutOfMemoryError(
                f"{tensor.name} needs {tensor.n_bytes:,} bytes, more than the host has left; "
                "use fewer layers, a smaller model or layout mapped"
            ) from error
        self._keep(tensor, data)

    def place(self, tensor: StoredTensor, first_row: int, rows: NDArray[np.uint8]) -> None:
        self._weights[tensor.name, tensor.device].data[first_row : first_row + len(rows)] = rows

    def rows_in_place(self, tensor: StoredTensor) -> NDArray[np.uint8]:
        return self._weights[tensor.name, tensor.device].data

    def map(self, tensor: StoredTensor, data: NDArray[np.uint8]) -> None:
        self._keep(tensor, data.reshape(tensor.n_rows, tensor.row_bytes))

    def context(self, program: Program, options: Options) -> ReferenceContext:
        return ReferenceContext(program, options, self._weights, self._product)

    def segments(self, script: Script, options: Options) -> ReferenceSegments:
        return ReferenceSegments(script, options, self._weights, self._product)

    def close(self) -> None:
        self._weights = {}

    def _keep(self, tensor: StoredTensor, data: NDArray[np.uint8]) -> None:
        self._weights[tensor.name, tensor.device] = stored_weight(tensor, data, self._room)
