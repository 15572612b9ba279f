"""Which devices this machine has. Light on purpose: it imports neither NumPy nor CuPy."""

import ctypes
import os
from importlib.util import find_spec


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
