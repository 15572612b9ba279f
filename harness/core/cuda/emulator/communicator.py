"""Emulated devices that send each other pieces all at once: the first that comes to its part makes all others come.

As cards do, a device leaves its part with everybody's pieces, and not before everybody has its own.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.core.cuda.api import Address

if TYPE_CHECKING:
    from harness.core.cuda.emulator.device import EmulatedDevice


class EmulatedCommunicator:
    """See `harness.core.cuda.api.Communicator`."""

    def __init__(self, devices: "Sequence[EmulatedDevice]") -> None:
        self._devices = tuple(devices)

    def all_gather(self, pieces: Sequence[Address], to: Sequence[Address], n_bytes: int) -> None:
        sent = [device.view(piece, n_bytes) for device, piece in zip(self._devices, pieces, strict=True)]
        landings = [
            device.view(landing, n_bytes * len(sent)) for device, landing in zip(self._devices, to, strict=True)
        ]
        meeting = _Meeting(sent, landings, [(device, device.n_enqueued) for device in self._devices])
        for device in self._devices:
            device.enqueue(meeting.come)

    def close(self) -> None:
        """Nothing is held."""


class _Meeting:
    """One exchange: every device comes once, and the first makes the others do what stands before their part."""

    def __init__(
        self,
        sent: Sequence[NDArray[np.uint8]],
        landings: Sequence[NDArray[np.uint8]],
        before: "Sequence[tuple[EmulatedDevice, int]]",
    ) -> None:
        self._sent = sent
        self._landings = landings
        self._before = before
        self._is_over = False

    def come(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        for device, n_before in self._before:
            device.run_until(n_before)
        for landing in self._landings:
            np.concatenate(self._sent, out=landing)
