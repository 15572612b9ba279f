"""Which devices this machine has, and the backend that serves one. CuPy is imported only where a driver was found."""

import ctypes
import os
from importlib.util import find_spec

from harness.core.backend import Backend
from harness.core.errors import DeviceError
from harness.core.options import Options
from harness.core.plan.layout import kind_of
from harness.core.reference import ReferenceBackend


def backend_for(options: Options) -> Backend:
    """A backend for the devices of `options`. Errors: DeviceError when there is none."""
    device = options.devices[0]
    kind = kind_of(device)
    if kind in ("reference", "reference-q8"):
        return ReferenceBackend(device)
    if kind == "cpu":
        from harness.core.cpu import CpuBackend  # noqa: PLC0415  only this device needs the native part

        return CpuBackend(options)
    if kind == "cuda-emulated":
        from harness.core.cuda.backend import CudaBackend  # noqa: PLC0415  needs a compiler
        from harness.core.cuda.emulator.device import EmulatedDevice  # noqa: PLC0415

        return CudaBackend(EmulatedDevice())
    if kind == "cuda":
        usable, reason = usable_cuda()
        if not usable:
            raise DeviceError(f"device {device} cannot be used: {reason}; use device cpu:0, or auto")
        from harness.core.cuda.backend import CudaBackend  # noqa: PLC0415
        from harness.core.cuda.device import CudaDevice  # noqa: PLC0415  imports CuPy

        return CudaBackend(CudaDevice(index_of(device)))
    raise DeviceError(f"device {device} has no backend in this version; use cpu:0, reference or reference-q8")


def index_of(device: str) -> int:
    """N of `cuda:N`. Errors: DeviceError where it is no number."""
    _, _, index = device.partition(":")
    if not index.isdecimal():
        raise DeviceError(f"device {device!r} has no number; write it as {kind_of(device)}:0")
    return int(index)


def resolve_auto() -> tuple[str, str]:
    """The device that "auto" stands for, and why."""
    usable, reason = usable_cuda()
    return ("cuda:0", reason) if usable else ("cpu:0", f"{reason}, so the CPU is used")


def usable_cuda() -> tuple[bool, str]:
    """Whether CUDA can be used here, and the reason in words."""
    n_devices, reason = _driver_devices()
    if n_devices == 0:
        return False, reason
    if find_spec("cupy") is None:
        return False, "an NVIDIA driver is here, but CuPy is not installed (pip install 'harness[cuda12]' or [cuda13])"
    if find_spec("harness.core.cuda") is None:
        return False, "an NVIDIA GPU is here, but this version has no CUDA backend"
    return True, f"{n_devices} CUDA device{'s' if n_devices > 1 else ''} found"


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0))


def _driver_devices() -> tuple[int, str]:
    """Devices the driver counts; 0 with the reason where it counts none."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0, "no NVIDIA driver is installed"
    status = driver.cuInit(0)
    if status != 0:
        return 0, f"the NVIDIA driver does not start (cuInit says {status})"
    count = ctypes.c_int(0)
    status = driver.cuDeviceGetCount(ctypes.byref(count))
    if status != 0 or count.value == 0:
        return 0, "the NVIDIA driver finds no device"
    return count.value, ""
