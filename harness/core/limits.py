"""What a device can do at most, measured on it now. A CPU's limits are the machine's: harness/telemetry/limits.py."""

from dataclasses import dataclass

from harness.core.plan.layout import index_of, kind_of


@dataclass(frozen=True)
class DeviceLimits:
    """`copy_bytes_per_s`: read and written by a copy within its memory. `int8_macs_per_s`: of its tensor cores."""

    copy_bytes_per_s: float
    int8_macs_per_s: float


def device_limits(device: str) -> DeviceLimits | None:
    """Half a second on a card; None for what is no card. Errors: DeviceError, OutOfMemoryError."""
    if kind_of(device) != "cuda":
        return None
    from harness.core.cuda.device import CudaDevice  # noqa: PLC0415  imports CuPy when opened
    from harness.core.cuda.limits import copy_bytes_per_s, int8_macs_per_s  # noqa: PLC0415

    card = CudaDevice(index_of(device))
    try:
        return DeviceLimits(copy_bytes_per_s(card), int8_macs_per_s(card))
    finally:
        card.close()
