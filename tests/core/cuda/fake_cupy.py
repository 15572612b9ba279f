"""A CuPy whose device is host memory: as much of it as device.py and nccl.py use, with a log of what was asked."""

import ctypes
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import numpy as np

Log = list[tuple[Any, ...]]


class CUDARuntimeError(RuntimeError):
    """As cupy_backends.cuda.api.runtime raises it."""


class CUDADriverError(RuntimeError):
    """As cupy_backends.cuda.api.driver raises it."""


class OutOfMemoryError(MemoryError):
    """As cupy.cuda.memory raises it."""


class NcclError(RuntimeError):
    """As cupy_backends.cuda.libs.nccl raises it."""


class _Entered:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class FakeCupy:
    """`cupy` for one test. Attributes say what the machine is like; `log` says what happened, in order."""

    def __init__(self) -> None:
        self.log: Log = []
        self.__version__ = "14.2.0"
        self.n_devices = 1
        self.capability = (8, 6)
        self.free_bytes = 1 << 20
        self.opening_fails: Exception | None = None
        self.peers_reach = True
        self.cuda = self._cuda()
        self.nccl = FakeNccl(self.log)

    def RawModule(self, *, path: str) -> Any:
        self.log.append(("load", path))

        def get_function(name: str) -> Any:
            return lambda grid, block, args: self.log.append(("kernel", name, grid, block, args))

        return SimpleNamespace(get_function=get_function)

    def _cuda(self) -> Any:
        runtime = SimpleNamespace(
            CUDARuntimeError=CUDARuntimeError,
            getDeviceCount=self._count,
            getDeviceProperties=lambda _index: {
                "name": b"Fake RTX",
                "major": self.capability[0],
                "minor": self.capability[1],
                "multiProcessorCount": 82,
                "totalGlobalMem": 24 << 30,
            },
            memGetInfo=lambda: (self.free_bytes, 24 << 30),
            memcpyHostToDevice=1,
            memcpyDeviceToHost=2,
            streamCaptureModeThreadLocal=1,
            deviceGetAttribute=lambda attribute, _index: {13: 1_700_000}[attribute],
            deviceCanAccessPeer=lambda _index, _peer: int(self.peers_reach),
            deviceEnablePeerAccess=self._enable_peer,
            driverGetVersion=lambda: 13000,
            memcpyAsync=self._copy,
            memcpyPeerAsync=lambda to, _to, source, _from, n, _stream: self._copy(to, source, n, 3, 0),
        )
        return SimpleNamespace(
            runtime=runtime,
            driver=SimpleNamespace(CUDADriverError=CUDADriverError),
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            alloc=self._alloc,
            alloc_pinned_memory=_Pinned,
            Device=lambda _index: _Entered(),
            Stream=lambda non_blocking: _Stream(self.log, non_blocking),
            Event=lambda disable_timing=False: _Event(self.log, disable_timing),
            get_elapsed_time=lambda _start, _end: 0.25,
        )

    def _enable_peer(self, peer: int) -> None:
        if ("peer", peer) in self.log:
            raise CUDARuntimeError("cudaErrorPeerAccessAlreadyEnabled: peer access is already enabled")
        self.log.append(("peer", peer))

    def _count(self) -> int:
        if self.opening_fails is not None:
            raise self.opening_fails
        return self.n_devices

    def _alloc(self, n_bytes: int) -> Any:
        if n_bytes > self.free_bytes:
            raise OutOfMemoryError
        self.free_bytes -= n_bytes
        self.log.append(("alloc", n_bytes))
        memory = np.zeros(n_bytes, np.uint8)
        return SimpleNamespace(ptr=memory.ctypes.data, memory=memory)

    def _copy(self, to: int, source: int, n_bytes: int, kind: int, _stream: int) -> None:
        self.log.append(("copy", kind, n_bytes))
        ctypes.memmove(to, source, n_bytes)


class FakeNccl:
    """`cupy.cuda.nccl`: what is called in a group happens at its end. `failing` names a call that fails."""

    NCCL_INT8 = 0
    NcclError = NcclError

    def __init__(self, log: Log) -> None:
        self.available = True
        self.failing = ""
        self.is_open = False
        self.log = log
        self.asked: list[tuple[int, int, int, int]] = []
        self.NcclCommunicator = SimpleNamespace(initAll=self._init_all)

    def groupStart(self) -> None:
        assert not self.is_open
        self.is_open = True
        self.log.append(("group",))

    def groupEnd(self) -> None:
        assert self.is_open
        self.is_open = False
        self.log.append(("end of group",))
        asked, self.asked = self.asked, []
        self.fail_at("groupEnd")
        for _, _, to, n_bytes in asked:
            for rank, source, _, _ in asked:
                ctypes.memmove(to + rank * n_bytes, source, n_bytes)

    def fail_at(self, call: str) -> None:
        if call == self.failing:
            raise NcclError("NCCL_ERROR_SYSTEM_ERROR: unhandled system error")

    def _init_all(self, devices: list[int]) -> Any:
        self.fail_at("initAll")
        self.log.append(("join", devices))
        return [_Rank(self, rank) for rank in range(len(devices))]


class _Rank:
    def __init__(self, nccl: FakeNccl, rank: int) -> None:
        self._nccl = nccl
        self._rank = rank

    def allGather(self, sendbuf: int, recvbuf: int, count: int, datatype: int, stream: int) -> None:
        assert self._nccl.is_open
        self._nccl.fail_at("allGather")
        self._nccl.log.append(("all-gather", self._rank, count, datatype, stream))
        self._nccl.asked.append((self._rank, sendbuf, recvbuf, count))

    def destroy(self) -> None:
        self._nccl.log.append(("destroy", self._rank))


class _Pinned(bytearray):
    def __init__(self, n_bytes: int) -> None:
        super().__init__(n_bytes)
        self.ptr = np.frombuffer(self, np.uint8).ctypes.data


class _Event:
    n_made = 0

    def __init__(self, log: Log, disable_timing: bool) -> None:
        self.is_timed = not disable_timing
        self._log = log
        self.number = sum(entry[0] == "event" for entry in log)
        log.append(("event", self.number))

    def record(self, _stream: Any) -> None:
        self._log.append(("record", self.number))

    def synchronize(self) -> None:
        self._log.append(("wait for", self.number))


class _Stream(_Entered):
    def __init__(self, log: Log, non_blocking: bool) -> None:
        assert non_blocking
        self._log = log
        self.ptr = 77 + sum(entry[0] == "stream" for entry in log)
        log.append(("stream", self.ptr))

    def synchronize(self) -> None:
        self._log.append(("synchronize",))

    def wait_event(self, event: _Event) -> None:
        self._log.append(("stream waits for", event.number))

    def begin_capture(self, mode: int) -> None:
        self._log.append(("begin capture", mode))

    def end_capture(self) -> Any:
        self._log.append(("end capture",))
        return SimpleNamespace(launch=lambda stream: self._log.append(("replay", stream is self)))
