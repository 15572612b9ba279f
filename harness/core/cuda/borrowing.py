"""Experts that lie in the host's memory: those a ubatch was routed to are brought to the device, and no others.

Matrices of one kind take turns in one room that holds the experts of a layer, each at its own place, so that kernels
find them as they find experts that stay; what lies at the places of the others is never read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import Rows
from harness.core.cuda.api import Address, Buffer, Device, KernelName
from harness.core.cuda.launches import Routing
from harness.core.cuda.weights import DeviceTensor
from harness.core.plan.layout import held_bytes
from harness.core.plan.lending import CHUNK_BYTES, room_of
from harness.core.plan.types import StoredTensor
from harness.core.program.op import Op

RELAY = KernelName("relay", "relay")

STAGING = "experts on their way"

Key = tuple[str, str]


@dataclass(frozen=True)
class Borrowed:
    """A matrix of experts and where its rows come from."""

    tensor: StoredTensor
    rows: Rows


class Borrowing:
    """What contexts borrow, one after another. `in_rooms` are the matrices as kernels see them once they are there."""

    def __init__(self, device: Device, borrowed: Mapping[Key, Borrowed]) -> None:
        self._device = device
        self._borrowed = dict(borrowed)
        self._rooms = _rooms(device, borrowed)
        self.in_rooms: Mapping[Key, DeviceTensor] = {
            key: DeviceTensor.of(self._rooms[room_of(own.tensor)], own.tensor) for key, own in borrowed.items()
        }
        device.prepare([RELAY] if borrowed else [])

    def of(self, op: Op) -> tuple[Key, ...]:
        """The matrices of the operation that are borrowed."""
        keys = ((name, op.device) for name in op.weights.values())
        return tuple(key for key in keys if key in self._borrowed)

    def experts(self, routing: Routing) -> NDArray[np.int32]:
        """Who got a slot, ascending; waits for the router."""
        return np.unique(self._device.download(routing.ids, 4 * routing.n_slots).view(np.int32))

    def bring(self, op: Op, experts: NDArray[np.int32]) -> None:
        """Enqueue the rows of these experts, of every matrix that the operation borrows."""
        for key in self.of(op):
            own, room = self._borrowed[key], self.in_rooms[key]
            for first, count in _runs(experts, room.rows, max(1, CHUNK_BYTES // room.row_bytes)):
                room.place(self._device, self._staged, first, own.rows(first, count))

    def _staged(self, _n_bytes: int) -> Address:
        return Address(self._rooms[STAGING])


def _rooms(device: Device, borrowed: Mapping[Key, Borrowed]) -> Mapping[str, Buffer]:
    """A room for each kind of matrix, as large as the largest layer's, and one for a chunk on its way."""
    sizes: dict[str, int] = {}
    for own in borrowed.values():
        name = room_of(own.tensor)
        sizes[name] = max(sizes.get(name, 0), held_bytes(own.tensor))
        sizes[STAGING] = max(sizes.get(STAGING, CHUNK_BYTES), own.tensor.row_bytes)
    return {name: device.allocate(n_bytes, f"the room for {name}") for name, n_bytes in sizes.items()}


def _runs(experts: NDArray[np.int32], n_rows: int, most: int) -> Iterator[tuple[int, int]]:
    """The rows of these experts, `n_rows` each: first row and count, neighbours together, at most `most` at once."""
    ends = np.flatnonzero(np.diff(experts) > 1)
    firsts, lasts = experts[np.r_[0, ends + 1]], experts[np.r_[ends, len(experts) - 1]]
    for begin, end in zip(firsts * n_rows, (lasts + 1) * n_rows, strict=True):
        for first in range(int(begin), int(end), most):
            yield first, min(most, int(end) - first)
