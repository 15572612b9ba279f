"""Weights in device memory, laid out as layout.py says; a matrix is an address, a row size and a format."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.cuda.api import Address, Argument, Buffer, Device, KernelName, Launch
from harness.core.cuda.layout import planes
from harness.core.formats.table import BY_NAME
from harness.core.plan.layout import held_bytes
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
    def on(cls, device: Device, tensor: StoredTensor) -> "DeviceTensor":
        """Memory for the tensor of the plan. Errors: OutOfMemoryError."""
        return cls.of(device.allocate(held_bytes(tensor), tensor.name), tensor)

    @classmethod
    def of(cls, buffer: Buffer, tensor: StoredTensor) -> "DeviceTensor":
        """The tensor of the plan in memory that is there."""
        rows = tensor.shape[-2] if len(tensor.shape) > 1 else 1
        return cls(buffer, tensor.format, rows, tensor.shape[-1], tensor.row_bytes)

    @property
    def is_quantized(self) -> bool:
        """Whether activations are quantised to meet it."""
        return BY_NAME[self.format].group > 0

    @property
    def address(self) -> Address:
        """Where it begins; kernels find the rows of a matrix by their number."""
        return Address(self.buffer)

    def row(self, index: int) -> Address:
        """Where row `index` of plain floats begins, which lie as in the file: a vector, or the biases of an expert."""
        return Address(self.buffer, index * self.row_bytes)

    @property
    def stride(self) -> np.uint64:
        """Bytes a row takes, as kernels take it."""
        return np.uint64(self.row_bytes)

    def place(self, device: Device, staged: Callable[[int], Address], first_row: int, rows: NDArray[np.uint8]) -> None:
        """Enqueue rows as the file has them, from `first_row` on; `staged` has memory for so many bytes of them."""
        if not self.is_quantized:
            device.upload(Address(self.buffer, first_row * self.row_bytes), rows)
            return
        there = staged(rows.nbytes)
        device.upload(there, rows)
        for launch in self.relay(there, first_row, len(rows)):
            device.launch(launch)

    def relay(self, rows: Address, first_row: int, n_rows: int) -> Iterator[Launch]:
        """Launches that bring `n_rows` rows, as the file has them at `rows`, to their places from `first_row` on."""
        for plane in planes(BY_NAME[self.format], self.columns):
            field = plane.field
            n_chunks = plane.n_blocks * (field.n_bytes // field.chunk_bytes)
            numbers = (first_row, n_rows, plane.first, plane.block_bytes, field.n_bytes, field.chunk_bytes)
            shape = tuple(np.int32(number) for number in (*numbers, plane.tile_offset))
            args: tuple[Argument, ...] = (rows, self.stride, *shape, self.address)
            yield Launch(KernelName("relay", "relay"), (-(-n_rows // 128), n_chunks, 1), 128, args)
