"""Which device is used, and why, on a machine with or without a driver."""

import ctypes
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core import devices
from harness.core.backends import backend_for
from harness.core.errors import DeviceError
from harness.core.options import Options


def driver(monkeypatch: pytest.MonkeyPatch, *, n_devices: int, status: int = 0) -> None:
    """A stand-in for libcuda."""

    def count(pointer: Any) -> int:
        pointer._obj.value = n_devices
        return 0

    library = SimpleNamespace(cuInit=lambda _flags: status, cuDeviceGetCount=count)
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: library)


def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError(f"{name} not found")

    monkeypatch.setattr(ctypes, "CDLL", absent)


def test_without_a_driver_auto_is_the_cpu_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    no_driver(monkeypatch)
    assert devices.resolve_auto() == ("cpu:0", "no NVIDIA driver is installed, so the CPU is used")


def test_without_a_driver_cupy_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    no_driver(monkeypatch)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)  # another test may have wanted it
    devices.usable_cuda()
    assert "cupy" not in sys.modules


@pytest.mark.parametrize(
    ("n_devices", "status", "says"), [(0, 0, "finds no device"), (1, 999, "does not start (cuInit says 999)")]
)
def test_a_driver_that_is_of_no_use_says_why(
    monkeypatch: pytest.MonkeyPatch, n_devices: int, status: int, says: str
) -> None:
    driver(monkeypatch, n_devices=n_devices, status=status)
    usable, reason = devices.usable_cuda()
    assert not usable
    assert says in reason


def test_asking_about_devices_imports_neither_numpy_nor_cupy() -> None:
    code = "import sys, harness.core.devices as d; d.resolve_auto(); print({'numpy', 'cupy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_gpu_without_cupy_names_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    driver(monkeypatch, n_devices=1)
    monkeypatch.setattr(devices, "find_spec", lambda _name: None)
    usable, reason = devices.usable_cuda()
    assert not usable
    assert "pip install 'harness[cuda12]'" in reason


def test_asking_for_an_unusable_device_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    no_driver(monkeypatch)
    with pytest.raises(DeviceError, match=r"device cuda:0 cannot be used: no NVIDIA driver.*use device cpu:0"):
        backend_for(Options(devices=("cuda:0",)))


def test_cores_are_those_this_process_may_use() -> None:
    assert devices.usable_cores() == len(os.sched_getaffinity(0))
