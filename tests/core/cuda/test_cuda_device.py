"""The one module that touches CuPy: its calls exist in the real package, and its logic holds on a stub of it."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_cupy import CUDADriverError, CUDARuntimeError, FakeCupy

from harness.core.cuda import device as device_module
from harness.core.cuda import nvrtc
from harness.core.cuda.api import Address, KernelName, Launch
from harness.core.cuda.device import CudaDevice
from harness.core.errors import DeviceError, OutOfMemoryError

TREE = ast.parse(Path(device_module.__file__).read_text())
HELD = {
    "self._stream": "cuda.Stream",
    "stream": "cuda.Stream",
    "self._graph": "cuda.Graph",
    "stage.event": "cuda.Event",
    "self.event": "cuda.Event",
    "start": "cuda.Event",
    "end": "cuda.Event",
    "stage.memory": "cuda.PinnedMemoryPointer",
    "self.memory": "cuda.MemoryPointer",
    "module": "RawModule",
}
"""What device.py calls the objects that CuPy gave it."""
NAME = KernelName("norm", "rms_norm")


def dotted(node: ast.AST) -> str:
    return ast.unparse(node)


def names_used() -> Iterator[str]:
    """Every name below `cupy` that device.py uses, also on objects CuPy gave it."""
    for node in ast.walk(TREE):
        if isinstance(node, ast.Attribute):
            text = dotted(node)
            if text.startswith("self._cupy."):
                yield text.removeprefix("self._cupy.")
            elif dotted(node.value) in HELD:
                yield f"{HELD[dotted(node.value)]}.{node.attr}"


def calls() -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(TREE):
        if isinstance(node, ast.Call):
            text = dotted(node.func)
            owner, _, method = text.rpartition(".")
            if text.startswith("self._cupy."):
                yield text.removeprefix("self._cupy."), node
            elif owner in HELD:
                yield f"{HELD[owner]}.{method}", node


def real(name: str) -> Any:
    import cupy

    found: Any = cupy
    for part in name.split("."):
        found = getattr(found, part)
    return found


def test_every_name_of_cupy_that_is_used_exists() -> None:
    instance_attributes = {"cuda.Stream.ptr"}  # set when a stream is made, for which a driver is needed
    names = set(names_used()) - instance_attributes
    assert {"cuda.runtime.memcpyAsync", "cuda.Stream.begin_capture", "cuda.Graph.launch"} < names
    for name in names:
        assert real(name) is not None, name


def test_every_call_of_cupy_fits_the_signature_its_documentation_gives() -> None:
    checked = 0
    for name, call in calls():
        text = real(name).__doc__ or ""
        signature = re.search(rf"\b{name.rpartition('.')[2]}\(([^)]*)\)", text)
        parameters = [part for part in (signature[1].split(",") if signature else []) if part.strip() != "self"]
        known = " ".join(parameters) + text
        assert all(keyword.arg in known for keyword in call.keywords if keyword.arg), name
        if signature and not any(isinstance(arg, ast.Starred) for arg in call.args):
            required = [part for part in parameters if part.strip() and "=" not in part]
            assert len(required) <= len(call.args) + len(call.keywords), name
            assert len(call.args) <= len(parameters), name
            checked += 1
    assert checked >= 8


@pytest.mark.parametrize("module", ["harness", "harness.core.session", "harness.core.cuda.device", "harness.cli.app"])
def test_importing_never_imports_cupy(module: str) -> None:
    code = f"import sys, {module}; sys.exit('cupy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeCupy:
    fake = FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(
        device_module, "compile_kernel", lambda kernel, arch: SimpleNamespace(path=tmp_path / f"{kernel.source}-{arch}")
    )
    return fake


def launch(device: CudaDevice) -> Launch:
    args = (Address(device.allocate(64, "x"), 8), None, np.int32(3), np.float32(0.5), np.uint64(1 << 40))
    return Launch(NAME, (2, 3, 1), 128, args)


def test_properties_are_the_cards(cupy: FakeCupy) -> None:
    assert CudaDevice(0).properties == device_module.Properties("Fake RTX", 86, 82, 24 << 30)
    assert CudaDevice(0).memory_info() == (cupy.free_bytes, 24 << 30)


REFUSALS: dict[str, tuple[Callable[[FakeCupy], object], str]] = {
    "no driver": (
        lambda cupy: setattr(cupy, "opening_fails", CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device")),
        r"cuda:1 failed while looking for the device: cudaErrorNoDevice",
    ),
    "an old driver": (
        lambda cupy: setattr(cupy, "opening_fails", CUDARuntimeError("cudaErrorInsufficientDriver")),
        r"if it says the driver is insufficient, update it or install the CuPy for its CUDA version",
    ),
    "the driver's own errors": (
        lambda cupy: setattr(cupy, "opening_fails", CUDADriverError("CUDA_ERROR_UNKNOWN")),
        r"cuda:1 failed while looking for the device: CUDA_ERROR_UNKNOWN",
    ),
    "an old card": (
        lambda cupy: (setattr(cupy, "n_devices", 2), setattr(cupy, "capability", (6, 1))),
        r"cuda:1 has compute capability 6.1; these kernels need 7.5 \(Turing\) or newer; use device cpu:0",
    ),
    "one card fewer": (lambda _cupy: None, r"cuda:1 does not exist: the driver counts 1 devices, from cuda:0"),
}


@pytest.mark.parametrize("why", sorted(REFUSALS))
def test_a_device_that_cannot_be_used_is_one_sentence(why: str, cupy: FakeCupy) -> None:
    prepare, message = REFUSALS[why]
    prepare(cupy)
    with pytest.raises(DeviceError, match=message) as caught:
        CudaDevice(1)
    assert "\n" not in str(caught.value)


def test_without_cupy_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(DeviceError, match=r"CuPy cannot be imported .* pip install 'harness\[cuda13\]'"):
        CudaDevice(0)


def test_without_nvrtc_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvrtc, "_candidates", lambda: iter(["libnvrtc-that-is-nowhere.so"]))
    nvrtc._library.cache_clear()
    try:
        with pytest.raises(DeviceError, match=r"NVRTC, CUDA's run-time compiler, was not found; install it"):
            nvrtc.compile_kernel(NAME, 86)
    finally:
        nvrtc._library.cache_clear()


def test_what_nvrtc_rejects_is_shown_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "norm.cu").write_text("this is no kernel")
    monkeypatch.setattr(nvrtc, "KERNELS", tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    with pytest.raises(DeviceError, match=r"NVRTC cannot compile norm.cu .*sm_86[\s\S]*error"):
        nvrtc.compile_kernel(NAME, 86)


def test_too_little_memory_names_what_needs_it_and_what_is_free(cupy: FakeCupy) -> None:
    device = CudaDevice(0)
    cupy.free_bytes = 1000
    with pytest.raises(OutOfMemoryError, match=r"blk.3.ffn needs 2,000 bytes on cuda:0, where 1,000 of") as caught:
        device.allocate(2000, "blk.3.ffn")
    assert "n_cpu_moe" in str(caught.value)


def test_uploads_go_through_two_stages_and_wait_before_one_is_used_again(
    cupy: FakeCupy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_module, "STAGE_BYTES", 1000)
    device = CudaDevice(0)
    buffer = device.allocate(4000, "weights")
    data = np.random.default_rng(0).integers(0, 256, 3500, np.uint8)
    device.upload(Address(buffer, 100), data)
    assert np.array_equal(device.download(Address(buffer, 100), 3500), data)
    steps = [entry[:2] for entry in cupy.log if entry[0] in ("record", "wait for")]
    assert steps == [("record", 0), ("record", 1), ("wait for", 0), ("record", 0), ("wait for", 1), ("record", 1)]
    assert [entry[2] for entry in cupy.log if entry[:2] == ("copy", 1)] == [1000, 1000, 1000, 500]


def test_only_downloads_and_synchronisation_wait(cupy: FakeCupy) -> None:
    device = CudaDevice(0)
    one = launch(device)
    device.upload(Address(device.allocate(64, "y")), np.zeros(64, np.uint8))
    device.launch(one)
    assert ("synchronize",) not in cupy.log
    device.download(Address(device.allocate(8, "z")), 8)
    assert cupy.log[-1] == ("synchronize",)


def test_devices_wait_for_each_other_by_events_and_the_host_does_not(cupy: FakeCupy) -> None:
    cupy.n_devices = 2
    first, second = CudaDevice(0), CudaDevice(1)
    cupy.log.clear()
    marker = first.marker()
    marker.record()
    second.wait(marker)
    assert cupy.log == [("event", 0), ("record", 0), ("stream waits for", 0)]


def test_peers_are_reached_once_and_where_they_can_be(cupy: FakeCupy) -> None:
    cupy.n_devices = 2
    first, second = CudaDevice(0), CudaDevice(1)
    first.reach(second)
    first.reach(second)  # a later context of this process
    assert [entry for entry in cupy.log if entry[0] == "peer"] == [("peer", 1)]
    cupy.peers_reach = False
    second.reach(first)
    assert [entry for entry in cupy.log if entry[0] == "peer"] == [("peer", 1)]


def test_a_peer_that_cannot_be_opened_is_one_sentence(cupy: FakeCupy, monkeypatch: pytest.MonkeyPatch) -> None:
    cupy.n_devices = 2

    def fail(_peer: int) -> None:
        raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    monkeypatch.setattr(cupy.cuda.runtime, "deviceEnablePeerAccess", fail)
    with pytest.raises(DeviceError, match="cuda:0 failed while reaching cuda:1: cudaErrorInvalidDevice"):
        CudaDevice(0).reach(CudaDevice(1))


def test_copies_between_devices_name_both(cupy: FakeCupy) -> None:
    cupy.n_devices = 2
    first, second = CudaDevice(0), CudaDevice(1)
    source, to = Address(first.allocate(16, "source")), Address(second.allocate(16, "to"), 4)
    first.upload(source, np.arange(3, dtype=np.int32))
    second.copy(to, source, 12)
    assert cupy.log[-1] == ("copy", 3, 12)
    assert second.download(to, 12).view(np.int32).tolist() == [0, 1, 2]


@pytest.mark.parametrize("call", ["reach", "wait"])
def test_devices_of_another_kind_are_refused(call: str, cupy: FakeCupy) -> None:
    del cupy
    with pytest.raises(DeviceError, match="of another kind"):
        getattr(CudaDevice(0), call)(object())


def test_a_launch_passes_pointers_as_eight_bytes_and_numbers_in_their_own_type(cupy: FakeCupy) -> None:
    device = CudaDevice(0)
    one = launch(device)
    device.launch(one)
    _, name, grid, block, args = cupy.log[-1]
    assert (name, grid, block) == ("rms_norm", (2, 3, 1), (128, 1, 1))
    assert [arg.dtype for arg in args] == [np.uint64, np.uint64, np.int32, np.float32, np.uint64]
    assert args[0] == one.args[0].buffer.memory.ptr + 8  # type: ignore[union-attr]
    assert args[1] == 0


def test_a_capture_compiles_first_and_holds_its_launches_in_order(cupy: FakeCupy) -> None:
    device = CudaDevice(0)
    one = launch(device)
    cupy.log.clear()
    graph = device.capture([one, one])
    assert [entry[0] for entry in cupy.log] == ["load", "begin capture", "kernel", "kernel", "end capture"]
    assert cupy.log[1] == ("begin capture", cupy.cuda.runtime.streamCaptureModeThreadLocal)
    graph.launch()
    assert cupy.log[-1] == ("replay", True)


def test_a_failed_capture_still_ends(cupy: FakeCupy, monkeypatch: pytest.MonkeyPatch) -> None:
    device = CudaDevice(0)
    one = launch(device)

    def fail(_launch: Launch) -> None:
        raise CUDADriverError("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED")

    monkeypatch.setattr(device, "launch", fail)
    with pytest.raises(DeviceError, match="cuda:0 failed while capturing a graph: CUDA_ERROR_STREAM_CAPTURE"):
        device.capture([one])
    assert cupy.log[-1] == ("end capture",)


def test_a_kernel_is_loaded_once_for_the_cards_architecture(cupy: FakeCupy) -> None:
    device = CudaDevice(0)
    device.prepare([NAME, NAME, KernelName("norm", "other")])
    assert [Path(entry[1]).name for entry in cupy.log if entry[0] == "load"] == ["norm-86", "norm-86"]


def test_work_is_timed_by_events_around_it(cupy: FakeCupy) -> None:
    device = CudaDevice(0)
    one = launch(device)
    cupy.log.clear()
    assert device.time_ns(lambda: device.launch(one), repeats=1) == 250_000
    steps = [entry[0] for entry in cupy.log if entry[0] != "load"]
    assert steps == ["event", "event", "record", "kernel", "record", "wait for"]


def test_versions_and_clock_are_those_of_driver_and_card(cupy: FakeCupy) -> None:
    del cupy
    assert CudaDevice(0).versions().startswith("driver for CUDA 13.0, CuPy 14.2.0, NVRTC ")
    assert CudaDevice(0).clock_hz == 1_700_000_000


def test_buffers_of_the_emulator_are_refused(cupy: FakeCupy) -> None:
    del cupy
    with pytest.raises(DeviceError, match="a buffer of another kind of device was given to CUDA"):
        CudaDevice(0).download(Address(SimpleNamespace(n_bytes=8)), 8)
