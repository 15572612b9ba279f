"""What the CUDA backend asks of a device; CuPy serves it in device.py, the emulator in emulator/device.py.

Work is enqueued and happens in order at the latest by `synchronize`; only `download` and `synchronize` wait.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class KernelName:
    """Entry point `entry` of kernels/`source`.cu, compiled for one weight format where the source has one."""

    source: str
    entry: str
    format: str = ""


class Buffer(Protocol):
    """Memory of one device."""

    @property
    def n_bytes(self) -> int: ...


class Address(NamedTuple):
    """`offset` bytes into a buffer."""

    buffer: Buffer
    offset: int = 0


Argument = Address | None | np.int32 | np.float32 | np.uint64
"""A kernel's argument: a pointer, a null pointer, int, float or size_t."""


@dataclass(frozen=True)
class Launch:
    """One kernel on one grid, with its arguments as they are now."""

    kernel: KernelName
    grid: tuple[int, int, int]
    threads: int
    args: tuple[Argument, ...]


@dataclass(frozen=True)
class Properties:
    """What a card is: `compute_capability` as 86 for 8.6; sizes in bytes."""

    name: str
    compute_capability: int
    n_multiprocessors: int
    memory_bytes: int


class Graph(Protocol):
    """A recorded sequence of launches; launching replays it with the memory's contents of that moment."""

    def launch(self) -> None: ...


class Marker(Protocol):
    """A point in a device's work that other devices wait for."""

    def record(self) -> None:
        """From now on the point is behind everything enqueued so far. One that was never recorded has passed."""
        ...


class Communicator(Protocol):
    """Devices that exchange pieces all at once; a device's rank is its place among them."""

    def all_gather(self, pieces: Sequence[Address], to: Sequence[Address], n_bytes: int) -> None:
        """Enqueue a part on every device: its piece of `n_bytes` goes to all, itself too.

        `pieces` and `to` are by rank; at a device's `to` all pieces lie one behind the other in order of rank. What is
        enqueued on a device behind its part finds them there and may overwrite its own. Errors: DeviceError.
        """
        ...

    def close(self) -> None:
        """Nothing more is exchanged; never raises for one that is closed already."""
        ...


class Device(Protocol):
    """One device with one stream."""

    @property
    def properties(self) -> Properties: ...

    def memory_info(self) -> tuple[int, int]:
        """Free and total bytes."""
        ...

    def allocate(self, n_bytes: int, what: str) -> Buffer:
        """Memory with undefined contents. Errors: OutOfMemoryError naming `what` and the bytes."""
        ...

    def prepare(self, kernels: Sequence[KernelName]) -> None:
        """Compile and load kernels, so that no launch has to. Errors: DeviceError."""
        ...

    def upload(self, to: Address, data: NDArray[np.generic]) -> None:
        """Enqueue a copy; `data` may change as soon as this returns."""
        ...

    def download(self, source: Address, n_bytes: int) -> NDArray[np.uint8]:
        """What is there once everything enqueued so far has run."""
        ...

    def copy(self, to: Address, source: Address, n_bytes: int) -> None:
        """Enqueue a copy within this device or from another one's buffer."""
        ...

    def reach(self, other: "Device") -> None:
        """Let copies from `other` take the straight way, where there is one. Errors: DeviceError for another kind."""
        ...

    def communicator(self, devices: "Sequence[Device]") -> Communicator | None:
        """By which `devices`, this one among them, exchange pieces at once; None where they can copy alone.

        Errors: DeviceError for another kind, or where what is there for it fails.
        """
        ...

    def marker(self) -> Marker:
        """A point of this device's work, not recorded yet."""
        ...

    def wait(self, marker: Marker) -> None:
        """What is enqueued from now on runs once another device has passed the point; the host does not wait."""
        ...

    def launch(self, launch: Launch) -> None:
        """Enqueue a kernel."""
        ...

    def capture(self, launches: Sequence[Launch]) -> Graph:
        """Record launches without running them."""
        ...

    def time_each(self, graphs: Sequence[Graph]) -> list[int]:
        """Replay one after another; nanoseconds of each on the device, among them what it waits for the host.

        Errors: DeviceError where time would mean nothing.
        """
        ...

    def synchronize(self) -> None:
        """Wait for everything enqueued. Errors: DeviceError when a kernel failed."""
        ...

    def close(self) -> None:
        """Free everything."""
        ...
