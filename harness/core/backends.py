"""The backend that serves a device, by its name. Each is imported when it is asked for."""

from harness.core.backend import Backend
from harness.core.devices import usable_cuda
from harness.core.errors import DeviceError
from harness.core.options import Options
from harness.core.plan.layout import index_of, kind_of
from harness.core.reference import ReferenceBackend


def backend_for(options: Options) -> Backend:
    """A backend for the devices of `options`. Errors: DeviceError when there is none."""
    device = options.devices[0]
    if kind_of(device) in ("reference", "reference-q8"):
        return ReferenceBackend(device)
    if kind_of(device) == "cpu":
        from harness.core.cpu import CpuBackend  # noqa: PLC0415  only this device needs the native part

        return CpuBackend(options)
    return _cuda_backend(device)


def _cuda_backend(device: str) -> Backend:
    from harness.core.cuda.backend import CudaBackend  # noqa: PLC0415  only these devices need it

    if kind_of(device) == "cuda-emulated":
        from harness.core.cuda.emulator.device import EmulatedDevice  # noqa: PLC0415  compiles on first use

        return CudaBackend(EmulatedDevice())
    from harness.core.cuda.device import CudaDevice  # noqa: PLC0415  imports CuPy when opened

    usable, reason = usable_cuda()
    if not usable:
        raise DeviceError(f"device {device} cannot be used: {reason}; use device cpu:0, or auto")
    return CudaBackend(CudaDevice(index_of(device)))
