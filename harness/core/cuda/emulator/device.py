"""Device `cuda-emulated:N`: runs kernels on the CPU. Right or wrong is what it shows; its time means nothing.

Its stream is lazy: nothing runs before `synchronize`, or before another device waits for it, so host code that forgets
to wait reads poison.
"""

import ctypes
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from harness.core.cuda.api import (
    Address,
    Argument,
    Buffer,
    Device,
    Graph,
    KernelName,
    Launch,
    Marker,
    Properties,
)
from harness.core.cuda.emulator.communicator import EmulatedCommunicator
from harness.core.cuda.emulator.library import KernelLibrary
from harness.core.cuda.sources import KERNELS
from harness.core.errors import DeviceError, OutOfMemoryError

POISON = 0xFF  # float NaN, int -1
GUARD_BYTES = 256


class Schedule(IntEnum):
    """In which order ready threads run, and when asynchronous copies land: late, at once, or by a coin."""

    FORWARD = 0
    REVERSE = 1
    RANDOM = 2


@dataclass(eq=False)
class EmulatedBuffer:
    """Host memory that plays device memory, poisoned, with guards at both ends; aligned as the driver aligns."""

    memory: NDArray[np.uint8]
    first: int
    n_bytes: int
    device: "EmulatedDevice"

    @classmethod
    def of(cls, n_bytes: int, device: "EmulatedDevice") -> "EmulatedBuffer":
        """Room for `n_bytes`."""
        memory = np.full(n_bytes + 3 * GUARD_BYTES, POISON, np.uint8)
        return cls(memory, GUARD_BYTES + -memory.ctypes.data % GUARD_BYTES, n_bytes, device)

    @property
    def address(self) -> int:
        """Where the first byte lies."""
        return int(self.memory.ctypes.data) + self.first

    def bytes(self, offset: int, n_bytes: int) -> NDArray[np.uint8]:
        """A view. Errors: DeviceError outside the buffer."""
        if offset < 0 or offset + n_bytes > self.n_bytes:
            raise DeviceError(f"{n_bytes} bytes at {offset} are outside a device buffer of {self.n_bytes}")
        return self.memory[self.first + offset : self.first + offset + n_bytes]

    @property
    def is_intact(self) -> bool:
        """Whether the guards are as they were."""
        end = self.first + self.n_bytes
        guards = self.memory[self.first - GUARD_BYTES : self.first], self.memory[end : end + GUARD_BYTES]
        return all(bool((guard == POISON).all()) for guard in guards)


class EmulatedGraph:
    """Launches as they were recorded: their arguments do not follow what the host does later."""

    def __init__(self, device: "EmulatedDevice", launches: Sequence[Launch]) -> None:
        self._device = device
        self._launches = tuple(launches)

    def launch(self) -> None:
        for launch in self._launches:
            self._device.launch(launch)


class EmulatedMarker:
    """So many pieces of a device's work, counted from its first."""

    def __init__(self, device: "EmulatedDevice") -> None:
        self.device = device
        self.n_before = 0

    def record(self) -> None:
        self.n_before = self.device.n_enqueued


class EmulatedDevice:
    """One emulated card. `checked` watches every access; `sources` may hold kernels with a bug planted, for tests."""

    def __init__(
        self,
        *,
        checked: bool = False,
        schedule: Schedule = Schedule.FORWARD,
        seed: int = 0,
        memory_bytes: int = 8 << 30,
        sources: Path = KERNELS,
    ) -> None:
        self._library = KernelLibrary(checked=checked, sources=sources)
        self._schedule = schedule
        self._seed = seed
        self._memory_bytes = memory_bytes
        self._used = 0
        self._pending: deque[Callable[[], None]] = deque()
        self.n_enqueued = 0
        self._n_done = 0

    @property
    def properties(self) -> Properties:
        return Properties("CUDA emulated on the CPU", 86, 1, self._memory_bytes)

    def memory_info(self) -> tuple[int, int]:
        return self._memory_bytes - self._used, self._memory_bytes

    def allocate(self, n_bytes: int, what: str) -> EmulatedBuffer:
        if n_bytes > self._memory_bytes - self._used:
            free = self._memory_bytes - self._used
            raise OutOfMemoryError(
                f"{what} needs {n_bytes:,} bytes of device memory and {free:,} are free; "
                "use fewer layers, a smaller n_ctx or ubatch, or n_cpu_moe"
            )
        self._used += n_bytes
        buffer = EmulatedBuffer.of(n_bytes, self)
        self._library.note_allocation(buffer.address, n_bytes)
        finalize(buffer, self._release, buffer.address, n_bytes)
        return buffer

    def _release(self, address: int, n_bytes: int) -> None:
        self._used -= n_bytes
        self._library.note_release(address)

    def prepare(self, kernels: Sequence[KernelName]) -> None:
        """Nothing: a kernel is compiled when it is first launched, since it does not matter when."""

    def upload(self, to: Address, data: NDArray[np.generic]) -> None:
        taken = np.ascontiguousarray(data).view(np.uint8).ravel().copy()
        target = _emulated(to.buffer).bytes(to.offset, taken.size)
        self.enqueue(lambda: np.copyto(target, taken))

    def download(self, source: Address, n_bytes: int) -> NDArray[np.uint8]:
        self.synchronize()
        return _emulated(source.buffer).bytes(source.offset, n_bytes).copy()

    def copy(self, to: Address, source: Address, n_bytes: int) -> None:
        target = _emulated(to.buffer).bytes(to.offset, n_bytes)
        origin = _emulated(source.buffer).bytes(source.offset, n_bytes)
        self.enqueue(lambda: np.copyto(target, origin))

    def reach(self, other: Device) -> None:
        if not isinstance(other, EmulatedDevice):
            raise DeviceError("a device of another kind was given to the emulator")

    def communicator(self, devices: Sequence[Device]) -> EmulatedCommunicator | None:
        emulated = [device for device in devices if isinstance(device, EmulatedDevice)]
        if len(emulated) < len(devices):
            raise DeviceError("a device of another kind was given to the emulator")
        return EmulatedCommunicator(emulated)

    def view(self, at: Address, n_bytes: int) -> NDArray[np.uint8]:
        """Bytes of this device's memory. Errors: DeviceError for another's."""
        buffer = _emulated(at.buffer)
        if buffer.device is not self:
            raise DeviceError("an emulated device was given memory of another one")
        return buffer.bytes(at.offset, n_bytes)

    def marker(self) -> EmulatedMarker:
        return EmulatedMarker(self)

    def wait(self, marker: Marker) -> None:
        if not isinstance(marker, EmulatedMarker):
            raise DeviceError("a point of another kind of device was given to the emulator")
        other, n_before = marker.device, marker.n_before  # as they are now: the marker may be recorded again
        self.enqueue(lambda: other.run_until(n_before))

    def launch(self, launch: Launch) -> None:
        entry = self._library.entry(launch.kernel)
        if any(isinstance(each, Address) and _emulated(each.buffer).device is not self for each in launch.args):
            raise DeviceError(f"kernel {launch.kernel.entry} was given memory of another device")
        arguments = [_c_argument(argument) for argument in launch.args]
        self.enqueue(lambda: self._run(entry, launch, arguments))

    def capture(self, launches: Sequence[Launch]) -> EmulatedGraph:
        return EmulatedGraph(self, launches)

    def enqueue(self, work: Callable[[], None]) -> None:
        """Work of any kind, behind everything so far."""
        self._pending.append(work)
        self.n_enqueued += 1

    def synchronize(self) -> None:
        self.run_until(self.n_enqueued)

    def run_until(self, n_done: int) -> None:
        """Work, unless the device has come so far already."""
        while self._n_done < n_done:
            work = self._pending.popleft()
            self._n_done += 1
            work()

    def time_each(self, graphs: Sequence[Graph]) -> list[int]:
        """Refused. Errors: DeviceError."""
        raise DeviceError(
            f"{len(graphs)} operations on an emulated CUDA device are not timed: it proves kernels and says nothing "
            "about their speed; use a card, cuda:0, or a CPU, cpu:0"
        )

    def reports(self) -> str:
        """What the checker found since the last call, one finding a line; "" where nothing was."""
        return self._library.take_reports()

    def close(self) -> None:
        self._drop()

    def _drop(self) -> None:
        self._pending.clear()
        self._n_done = self.n_enqueued

    def _run(
        self, entry: "ctypes._NamedFuncPointer", launch: Launch, arguments: "list[ctypes._SimpleCData[int]]"
    ) -> None:
        pointers = (ctypes.c_void_p * len(arguments))(*map(ctypes.addressof, arguments))
        grid, block = (ctypes.c_uint * 3)(*launch.grid), (ctypes.c_uint * 3)(launch.threads, 1, 1)
        self._seed += 1
        if entry(pointers, grid, block, 0, int(self._schedule), self._seed):
            self._drop()
            raise DeviceError(f"kernel {launch.kernel.entry} failed: {self._library.error()}")
        touched = [_emulated(argument.buffer) for argument in launch.args if isinstance(argument, Address)]
        if not all(buffer.is_intact for buffer in touched):
            raise DeviceError(f"kernel {launch.kernel.entry} wrote beside a buffer it was given")


def _emulated(buffer: Buffer) -> EmulatedBuffer:
    if not isinstance(buffer, EmulatedBuffer):
        raise DeviceError("a buffer of another kind of device was given to the emulator")
    return buffer


def _c_argument(argument: Argument) -> "ctypes._SimpleCData[int]":
    if argument is None:
        return ctypes.c_void_p(None)  # type: ignore[return-value]
    if isinstance(argument, Address):
        return ctypes.c_void_p(_emulated(argument.buffer).address + argument.offset)  # type: ignore[return-value]
    if isinstance(argument, np.float32):
        return ctypes.c_float(float(argument))  # type: ignore[return-value]
    if isinstance(argument, np.uint64):
        return ctypes.c_size_t(int(argument))
    return ctypes.c_int(int(argument))
