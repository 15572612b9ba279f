"""Weights in device memory, in the row form of the file; a matrix is an address, a row size and a format."""

from dataclasses import dataclass

import numpy as np

from harness.core.cuda.api import Address, Buffer
from harness.core.formats.table import BY_NAME
from harness.core.plan.types import StoredTensor


@dataclass(frozen=True)
class DeviceTensor:
    """One stored tensor on a device: `rows` per expert (a vector has one row), `columns` weights each."""

    buffer: Buffer
    format: str
    rows: int
    columns: int
    row_bytes: int

    @classmethod
    def of(cls, tensor: StoredTensor, buffer: Buffer) -> "DeviceTensor":
        """The tensor of the plan that lies in `buffer`."""
        rows = tensor.shape[-2] if len(tensor.shape) > 1 else 1
        return cls(buffer, tensor.format, rows, tensor.shape[-1], tensor.row_bytes)

    @property
    def is_quantized(self) -> bool:
        """Whether activations are quantised to meet it."""
        return BY_NAME[self.format].group > 0

    def row(self, index: int) -> Address:
        """Where row `index` begins."""
        return Address(self.buffer, index * self.row_bytes)

    @property
    def stride(self) -> np.uint64:
        """Bytes from row to row, as kernels take it."""
        return np.uint64(self.row_bytes)
