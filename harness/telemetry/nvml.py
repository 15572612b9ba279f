"""NVIDIA GPUs through pynvml. No driver is a plain statement, an unsupported reading is None; nothing here raises."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

NO_PACKAGE = "nvidia-ml-py is not installed: power, clocks and memory of GPUs are not recorded."
NO_DRIVER = "no NVIDIA driver answers here ({why}): power, clocks and memory of GPUs are not recorded."

REASONS = {
    0x2: "application clocks",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
    0x100: "display clocks",
}
"""nvmlClocksEventReasons*. An idle GPU (0x1) is no news."""
HARMFUL = frozenset(
    {"hardware slowdown", "software thermal slowdown", "hardware thermal slowdown", "hardware power brake"}
)
"""Reasons that spoil a sample. A card at its power cap is at its limit: that is what is being measured."""

FATAL_XIDS = frozenset({48, 63, 64, 79, 94, 95, 119, 154})
APPLICATION_XIDS = frozenset({13, 31, 43, 45})


@dataclass(frozen=True)
class GpuReading:
    """One GPU at one moment; None where the card or driver does not tell."""

    power_w: float | None = None
    energy_j: float | None = None
    sm_mhz: float | None = None
    memory_mhz: float | None = None
    temperature_c: float | None = None
    memory_bytes: int | None = None
    ecc_uncorrected: int | None = None
    reasons: tuple[str, ...] = ()


class Gpus:
    """All GPUs the driver shows. `note` says why there is none, if there is none."""

    def __init__(self, nvml: Any = None) -> None:
        self._handles: tuple[Any, ...] = ()
        self._events: Any = None
        self.note = ""
        try:
            self._nvml = nvml or importlib.import_module("pynvml")
        except ImportError:
            self.note = NO_PACKAGE
            return
        try:
            self._nvml.nvmlInit()
            count = self._nvml.nvmlDeviceGetCount()
            self._handles = tuple(self._nvml.nvmlDeviceGetHandleByIndex(i) for i in range(count))
        except self._nvml.NVMLError as error:
            self.note = NO_DRIVER.format(why=error)
            return
        self._events = self._ask(self._watch_xids)

    def __len__(self) -> int:
        return len(self._handles)

    @property
    def driver(self) -> str:
        """The driver's version; empty without one."""
        return str(self._ask(self._nvml.nvmlSystemGetDriverVersion) or "") if self._handles else ""

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every card, in the driver's order."""
        return tuple(str(self._ask(self._nvml.nvmlDeviceGetName, handle) or "unknown GPU") for handle in self._handles)

    def read(self) -> tuple[GpuReading, ...]:
        """Every card's present state."""
        return tuple(self._read(handle) for handle in self._handles)

    def harmful_reasons(self) -> tuple[str, ...]:
        """Why cards are held back at this moment, only what spoils a sample."""
        found = (reason for handle in self._handles for reason in self._reasons(handle) if reason in HARMFUL)
        return tuple(dict.fromkeys(found))

    def xids(self) -> tuple[int, ...]:
        """The Xid errors reported since the last call."""
        found = []
        while self._events is not None:
            event = self._ask(self._nvml.nvmlEventSetWait_v2, self._events, 0)
            if event is None:
                break
            found.append(int(event.eventData))
        return tuple(found)

    def close(self) -> None:
        """Give the driver back. Never raises."""
        if self._events is not None:
            self._ask(self._nvml.nvmlEventSetFree, self._events)
        if self._handles:
            self._ask(self._nvml.nvmlShutdown)
        self._handles, self._events = (), None

    def _read(self, handle: Any) -> GpuReading:
        nvml, ask = self._nvml, self._ask
        memory = ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        corrected_no, since_boot = nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
        return GpuReading(
            power_w=_scaled(ask(nvml.nvmlDeviceGetPowerUsage, handle), 1e-3),
            energy_j=_scaled(ask(nvml.nvmlDeviceGetTotalEnergyConsumption, handle), 1e-3),
            sm_mhz=_scaled(ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM), 1.0),
            memory_mhz=_scaled(ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_MEM), 1.0),
            temperature_c=_scaled(ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU), 1.0),
            memory_bytes=None if memory is None else int(memory.used),
            ecc_uncorrected=ask(nvml.nvmlDeviceGetTotalEccErrors, handle, corrected_no, since_boot),
            reasons=self._reasons(handle),
        )

    def _reasons(self, handle: Any) -> tuple[str, ...]:
        mask = self._ask(self._nvml.nvmlDeviceGetCurrentClocksEventReasons, handle) or 0
        return tuple(name for bit, name in REASONS.items() if mask & bit)

    def _watch_xids(self) -> Any:
        events = self._nvml.nvmlEventSetCreate()
        for handle in self._handles:
            self._ask(self._nvml.nvmlDeviceRegisterEvents, handle, self._nvml.nvmlEventTypeXidCriticalError, events)
        return events

    def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """The driver's answer, or None where this card, driver or right does not give one."""
        try:
            return question(*arguments)
        except (self._nvml.NVMLError, AttributeError):
            return None


def gpu_names() -> tuple[tuple[str, ...], str]:
    """The cards' names and the driver's version: ((), "") without a driver."""
    gpus = Gpus()
    try:
        return gpus.names, gpus.driver
    finally:
        gpus.close()


def xid_verdict(xid: int) -> str:
    """`fatal`: the card is not to be trusted further. `application`: the case failed. `noted`: anything else."""
    return "fatal" if xid in FATAL_XIDS else "application" if xid in APPLICATION_XIDS else "noted"


def _scaled(value: Any, factor: float) -> float | None:
    return None if value is None else float(value) * factor
