"""The backend that serves a device, by its name, or several at once. Each is imported when it is asked for."""

from collections.abc import Sequence
from contextlib import ExitStack

from harness.core.backend import Backend, DeviceBackend
from harness.core.devices import usable_cuda
from harness.core.errors import DeviceError
from harness.core.options import Options
from harness.core.plan.layout import index_of, kind_of
from harness.core.reference import ReferenceBackend


def backend_for(options: Options, devices: Sequence[str] = ()) -> Backend:
    """A backend for `devices`, by default those of `options`. Errors: DeviceError when there is none."""
    used = tuple(devices) or options.devices
    if len(used) == 1:
        return _device_backend(used[0], options)
    from harness.core.compose import ComposedBackend  # noqa: PLC0415  one device needs none of it
    from harness.core.compose.teams import deal_cores  # noqa: PLC0415

    teams = deal_cores([device for device in used if kind_of(device) == "cpu"], options.threads)
    with ExitStack() as undo:
        backends = {}
        for device in used:
            backends[device] = _device_backend(device, options)
            undo.callback(backends[device].close)
        undo.pop_all()
    return ComposedBackend(backends, teams)


def _device_backend(device: str, options: Options) -> DeviceBackend:
    if kind_of(device) in ("reference", "reference-q8"):
        return ReferenceBackend(device)
    if kind_of(device) == "cpu":
        from harness.core.cpu import CpuBackend  # noqa: PLC0415  only this device needs the native part

        return CpuBackend(options)
    return _cuda_backend(device)


def _cuda_backend(device: str) -> DeviceBackend:
    from harness.core.cuda.backend import CudaBackend  # noqa: PLC0415  only these devices need it

    if kind_of(device) == "cuda-emulated":
        from harness.core.cuda.emulator.device import EmulatedDevice  # noqa: PLC0415  compiles on first use

        return CudaBackend(EmulatedDevice())
    from harness.core.cuda.device import CudaDevice  # noqa: PLC0415  imports CuPy when opened

    usable, reason = usable_cuda()
    if not usable:
        raise DeviceError(f"device {device} cannot be used: {reason}; use device cpu:0, or auto")
    return CudaBackend(CudaDevice(index_of(device)))
