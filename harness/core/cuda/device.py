"""Device `cuda:N` through CuPy, which no other module but nccl.py touches; it is imported when a device is opened.

One stream per device; everything is enqueued on it. Kernels come as cubins from nvrtc.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

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
from harness.core.cuda.nccl import NcclCommunicator, joined
from harness.core.cuda.nvrtc import compile_kernel, nvrtc_version
from harness.core.errors import DeviceError, OutOfMemoryError

OLDEST_CAPABILITY = 75
STAGE_BYTES = 32 << 20
N_STAGES = 2
_CLOCK_RATE_KHZ = 13  # cudaDevAttrClockRate


@dataclass(eq=False)
class CudaBuffer:
    """Device memory; freed with the last reference."""

    memory: Any  # cupy.cuda.MemoryPointer
    n_bytes: int
    device: int

    def address(self, offset: int) -> int:
        """The device pointer `offset` bytes in."""
        return int(self.memory.ptr) + offset


@dataclass(eq=False)
class CudaMarker:
    """A point on a card's stream."""

    event: Any  # cupy.cuda.Event
    stream: Any  # cupy.cuda.Stream

    def record(self) -> None:
        self.event.record(self.stream)


@dataclass(eq=False)
class _Stage:
    """Pinned host memory on its way to the device; free again once `event` has passed."""

    memory: Any  # cupy.cuda.PinnedMemoryPointer
    bytes: NDArray[np.uint8]
    event: Any  # cupy.cuda.Event


class CudaGraph:
    """A captured sequence; the buffers its launches name are kept alive with it."""

    def __init__(self, graph: Any, card: Any, stream: Any, launches: tuple[Launch, ...]) -> None:
        self._graph = graph
        self._card = card  # cupy.cuda.Device
        self._stream = stream
        self._launches = launches

    def launch(self) -> None:
        with self._card:  # a thread that serves several cards was at another one before
            self._graph.launch(stream=self._stream)


class CudaDevice:
    """One card. Errors: DeviceError, with what is missing, when it cannot be used."""

    def __init__(self, index: int) -> None:
        self._cupy = _import_cupy()
        self.index = index
        self._properties = self._read_properties()
        with self._errors("opening the device"), self._here():
            self._stream = self._cupy.cuda.Stream(non_blocking=True)
        self._kernels: dict[KernelName, Any] = {}
        self._stages: list[_Stage] = []
        self._next_stage = 0

    @property
    def properties(self) -> Properties:
        return self._properties

    def memory_info(self) -> tuple[int, int]:
        with self._errors("asking for free memory"), self._here():
            free, total = self._cupy.cuda.runtime.memGetInfo()
        return int(free), int(total)

    def allocate(self, n_bytes: int, what: str) -> CudaBuffer:
        with self._errors(f"allocating {what}"), self._here():
            try:
                memory = self._cupy.cuda.alloc(n_bytes)
            except self._cupy.cuda.memory.OutOfMemoryError as error:
                free, total = self._cupy.cuda.runtime.memGetInfo()
                raise OutOfMemoryError(
                    f"{what} needs {n_bytes:,} bytes on cuda:{self.index}, where {free:,} of {total:,} are free; "
                    "use fewer layers, a smaller n_ctx or ubatch, n_cpu_moe, or more devices"
                ) from error
        return CudaBuffer(memory, n_bytes, self.index)

    def prepare(self, kernels: Sequence[KernelName]) -> None:
        for kernel in kernels:
            self._kernel(kernel)

    def upload(self, to: Address, data: NDArray[np.generic]) -> None:
        """Through pinned stages, so that the next piece is read while this one travels."""
        source = np.ascontiguousarray(data).view(np.uint8).ravel()
        with self._errors("uploading"), self._here():
            for first in range(0, source.size, STAGE_BYTES):
                piece = source[first : first + STAGE_BYTES]
                stage = self._stage()
                stage.bytes[: piece.size] = piece
                target = _cuda(to.buffer).address(to.offset + first)
                kind = self._cupy.cuda.runtime.memcpyHostToDevice
                self._cupy.cuda.runtime.memcpyAsync(target, stage.memory.ptr, piece.size, kind, self._stream.ptr)
                stage.event.record(self._stream)

    def download(self, source: Address, n_bytes: int) -> NDArray[np.uint8]:
        host = np.empty(n_bytes, np.uint8)
        with self._errors("downloading"), self._here():
            kind = self._cupy.cuda.runtime.memcpyDeviceToHost
            origin = _cuda(source.buffer).address(source.offset)
            self._cupy.cuda.runtime.memcpyAsync(host.ctypes.data, origin, n_bytes, kind, self._stream.ptr)
            self._stream.synchronize()
        return host

    def copy(self, to: Address, source: Address, n_bytes: int) -> None:
        target, origin = _cuda(to.buffer), _cuda(source.buffer)
        with self._errors("copying between devices"), self._here():
            addresses = (target.address(to.offset), target.device, origin.address(source.offset), origin.device)
            self._cupy.cuda.runtime.memcpyPeerAsync(*addresses, n_bytes, self._stream.ptr)

    def reach(self, other: Device) -> None:
        """Where a card cannot reach the other's memory the driver takes copies through pinned memory of the host."""
        if not isinstance(other, CudaDevice):
            raise DeviceError("a device of another kind was given to CUDA")
        with self._errors(f"reaching cuda:{other.index}"), self._here():
            if not self._cupy.cuda.runtime.deviceCanAccessPeer(self.index, other.index):
                return
            try:
                self._cupy.cuda.runtime.deviceEnablePeerAccess(other.index)
            except self._cupy.cuda.runtime.CUDARuntimeError as error:
                if "PeerAccessAlreadyEnabled" not in str(error):  # by an earlier context of this process
                    raise

    def communicator(self, devices: Sequence[Device]) -> NcclCommunicator | None:
        """NCCL, where CuPy finds it."""
        cards = [device for device in devices if isinstance(device, CudaDevice)]
        if len(cards) < len(devices):
            raise DeviceError("a device of another kind was given to CUDA")
        return joined(cards)

    @property
    def stream_pointer(self) -> int:
        """See `harness.core.cuda.nccl.Card`."""
        return int(self._stream.ptr)

    def pointer(self, address: Address) -> int:
        """See `harness.core.cuda.nccl.Card`."""
        return _cuda(address.buffer).address(address.offset)

    def marker(self) -> CudaMarker:
        with self._errors("making an event"), self._here():
            return CudaMarker(self._cupy.cuda.Event(disable_timing=True), self._stream)

    def wait(self, marker: Marker) -> None:
        if not isinstance(marker, CudaMarker):
            raise DeviceError("a point of another kind of device was given to CUDA")
        with self._errors("waiting for another device"), self._here():
            self._stream.wait_event(marker.event)

    def launch(self, launch: Launch) -> None:
        kernel = self._kernel(launch.kernel)
        with self._errors(f"launching {launch.kernel.entry}"), self._here(), self._stream:
            kernel(launch.grid, (launch.threads, 1, 1), tuple(map(_argument, launch.args)))

    def capture(self, launches: Sequence[Launch]) -> CudaGraph:
        self.prepare([launch.kernel for launch in launches])
        with self._errors("capturing a graph"), self._here(), self._stream:
            # Thread-local: an allocation that strays into the capture fails instead of becoming part of it.
            self._stream.begin_capture(self._cupy.cuda.runtime.streamCaptureModeThreadLocal)
            try:
                for launch in launches:
                    self.launch(launch)
            finally:
                graph = self._stream.end_capture()
        return CudaGraph(graph, self._here(), self._stream, tuple(launches))

    def synchronize(self) -> None:
        with self._errors("running kernels"), self._here():
            self._stream.synchronize()

    def time_ns(self, enqueue: Callable[[], None], repeats: int = 7) -> int:
        """What the device takes for the work that `enqueue` puts on its stream: the least of some, by events."""
        with self._errors("timing"), self._here():
            return min(self._time_once(enqueue) for _ in range(repeats))

    def time_each(self, graphs: Sequence[Graph]) -> list[int]:
        """By events, all enqueued at once, so that the device need not wait for the host."""
        with self._errors("timing"), self._here():
            marks = [self._cupy.cuda.Event() for _ in range(len(graphs) + 1)]
            marks[0].record(self._stream)
            for graph, mark in zip(graphs, marks[1:], strict=True):
                graph.launch()
                mark.record(self._stream)
            marks[-1].synchronize()
            return [round(1e6 * float(self._cupy.cuda.get_elapsed_time(*pair))) for pair in pairwise(marks)]

    @property
    def clock_hz(self) -> int:
        """The clock the card boosts to."""
        with self._errors("asking for the clock"), self._here():
            return 1000 * int(self._cupy.cuda.runtime.deviceGetAttribute(_CLOCK_RATE_KHZ, self.index))

    def versions(self) -> str:
        """Of what lies between the kernels and the card, for reports."""
        with self._errors("asking for versions"):
            driver = self._cupy.cuda.runtime.driverGetVersion()
        cuda, cupy = f"{driver // 1000}.{driver % 1000 // 10}", self._cupy.__version__
        return f"driver for CUDA {cuda}, CuPy {cupy}, NVRTC {nvrtc_version()}"

    def close(self) -> None:
        self._stages = []
        self._kernels = {}

    def _time_once(self, enqueue: Callable[[], None]) -> int:
        start, end = self._cupy.cuda.Event(), self._cupy.cuda.Event()
        start.record(self._stream)
        enqueue()
        end.record(self._stream)
        end.synchronize()
        return round(1e6 * float(self._cupy.cuda.get_elapsed_time(start, end)))

    def _kernel(self, name: KernelName) -> Any:
        if name not in self._kernels:
            compiled = compile_kernel(name, self._properties.compute_capability)
            with self._errors(f"loading kernel {name.entry}"), self._here():
                module = self._cupy.RawModule(path=str(compiled.path))
                self._kernels[name] = module.get_function(name.entry)
        return self._kernels[name]

    def _stage(self) -> _Stage:
        """The next stage, once its last piece has arrived."""
        if len(self._stages) < N_STAGES:
            memory = self._cupy.cuda.alloc_pinned_memory(STAGE_BYTES)
            data = np.frombuffer(memory, np.uint8, STAGE_BYTES)
            self._stages.append(_Stage(memory, data, self._cupy.cuda.Event(disable_timing=True)))
            return self._stages[-1]
        stage = self._stages[self._next_stage % N_STAGES]
        self._next_stage += 1
        stage.event.synchronize()
        return stage

    def _read_properties(self) -> Properties:
        with self._errors("looking for the device"):
            count = self._cupy.cuda.runtime.getDeviceCount()
            if self.index >= count:
                raise DeviceError(f"cuda:{self.index} does not exist: the driver counts {count} devices, from cuda:0")
            found = self._cupy.cuda.runtime.getDeviceProperties(self.index)
        capability = 10 * found["major"] + found["minor"]
        if capability < OLDEST_CAPABILITY:
            raise DeviceError(
                f"cuda:{self.index} has compute capability {found['major']}.{found['minor']}; "
                "these kernels need 7.5 (Turing) or newer; use device cpu:0"
            )
        name = found["name"].decode(errors="replace")
        return Properties(name, capability, found["multiProcessorCount"], found["totalGlobalMem"])

    def _here(self) -> Any:
        """Makes this the current device of the calling thread."""
        return self._cupy.cuda.Device(self.index)

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Turns CuPy's errors into one sentence."""
        runtime, driver = self._cupy.cuda.runtime.CUDARuntimeError, self._cupy.cuda.driver.CUDADriverError
        try:
            yield
        except (runtime, driver) as error:
            raise DeviceError(
                f"cuda:{self.index} failed while {doing}: {error}; "
                "if it says the driver is insufficient, update it or install the CuPy for its CUDA version"
            ) from error


def _import_cupy() -> Any:
    try:
        import cupy  # noqa: PLC0415  slow, and absent where there is no GPU
    except ImportError as error:
        raise DeviceError(
            f"CuPy cannot be imported ({error}); "
            "install it: pip install 'harness[cuda13]' (or [cuda12] for older drivers)"
        ) from error
    return cupy


def _cuda(buffer: Buffer) -> CudaBuffer:
    if not isinstance(buffer, CudaBuffer):
        raise DeviceError("a buffer of another kind of device was given to CUDA")
    return buffer


def _argument(argument: Argument) -> Any:
    """A kernel argument as CuPy takes it: a pointer travels as the eight bytes it is."""
    if argument is None:
        return np.uint64(0)
    if isinstance(argument, Address):
        return np.uint64(_cuda(argument.buffer).address(argument.offset))
    return argument
