"""What telemetry reads, of our own making: a /proc, and a pynvml that plays a recorded trace."""
# ruff: noqa: ARG002  the stub has pynvml's signatures

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

STAT = "{pid} ({name}) S 1 1 1 0 -1 4194560 100 200 {faults} 0 {ticks} 0 {child_ticks} 0 20 0 2 0 5 1000000 10"


@dataclass(frozen=True)
class ProcTree:
    root: Path

    def machine(self, *, busy_ticks: int, stolen_ticks: int = 0, stalled_us: int | None = 0) -> None:
        """`busy_ticks` of user time, `stolen_ticks` taken by the host; `stalled_us` None: a kernel without PSI."""
        (self.root / "stat").write_text(
            f"cpu  {busy_ticks} 0 0 9000 10 0 0 {stolen_ticks} 0 0\ncpu0 1 0 0 0 0 0 0 0 0 0\n"
        )
        if stalled_us is not None:
            (self.root / "pressure").mkdir(exist_ok=True)
            text = f"some avg10=0.00 avg60=0.00 avg300=0.00 total={stalled_us}\nfull avg10=0.00 avg60=0.00 total=7\n"
            (self.root / "pressure" / "cpu").write_text(text)

    def process(
        self, pid: int, *, ticks: int, child_ticks: int = 0, faults: int = 0, migrations: tuple[int, ...] = ()
    ) -> None:
        """A process with one thread for each entry of `migrations` and a name made to confuse."""
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        stat = STAT.format(pid=pid, name="a (b) c", ticks=ticks, child_ticks=child_ticks, faults=faults)
        (folder / "stat").write_text(stat)
        (folder / "status").write_text("Name:\ta\nVmHWM:\t   2048 kB\n")
        for i, moved in enumerate(migrations):
            (folder / "task" / str(pid + i)).mkdir(parents=True, exist_ok=True)
            (folder / "task" / str(pid + i) / "sched").write_text(f"a : 1\nse.nr_migrations    :    {moved}\nb : 3\n")


@pytest.fixture
def proc_tree(tmp_path: Path) -> ProcTree:
    return ProcTree(tmp_path)


class NvmlError(Exception):
    """Stands for pynvml.NVMLError."""


class StubNvml:
    """pynvml playing a recorded trace: every read of a card's power moves on to the trace's next row.

    A field that a row lacks is "not supported"; `xids` are delivered one by one; `fails` makes nvmlInit fail.
    """

    NVMLError = NvmlError
    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0
    NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC, nvmlEventTypeXidCriticalError = 1, 0, 8  # noqa: N815

    def __init__(
        self, trace: list[dict[str, Any]], xids: tuple[int, ...] = (), fails: str = "", cards: int = 1
    ) -> None:
        self.trace, self.xid_queue, self.fails, self.cards = trace, list(xids), fails, cards
        self.at = -1
        self.open = False

    def nvmlInit(self) -> None:
        if self.fails:
            raise NvmlError(self.fails)
        self.open = True

    def nvmlShutdown(self) -> None:
        self.open = False

    def nvmlDeviceGetCount(self) -> int:
        return self.cards

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlSystemGetDriverVersion(self) -> str:
        return "550.54"

    def nvmlDeviceGetName(self, handle: int) -> str:
        return "NVIDIA GeForce RTX 3090"

    def nvmlDeviceGetPowerUsage(self, handle: int) -> Any:
        if handle == 0:
            self.at = min(self.at + 1, len(self.trace) - 1)
        return self._field("power_mw")

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> Any:
        return self._field("energy_mj")

    def nvmlDeviceGetClockInfo(self, handle: int, kind: int) -> Any:
        return self._field("sm_mhz" if kind == self.NVML_CLOCK_SM else "memory_mhz")

    def nvmlDeviceGetTemperature(self, handle: int, kind: int) -> Any:
        return self._field("temperature_c")

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(used=self._field("memory_bytes"))

    def nvmlDeviceGetTotalEccErrors(self, handle: int, kind: int, counter: int) -> Any:
        return self._field("ecc")

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: int) -> Any:
        return self._field("reasons")

    def nvmlEventSetCreate(self) -> object:
        return object()

    def nvmlEventSetFree(self, events: object) -> None:
        pass

    def nvmlDeviceRegisterEvents(self, handle: int, kinds: int, events: object) -> None:
        pass

    def nvmlEventSetWait_v2(self, events: object, timeout_ms: int) -> Any:
        if not self.xid_queue:
            raise NvmlError("Timeout")
        return SimpleNamespace(eventData=self.xid_queue.pop(0))

    def _field(self, name: str) -> Any:
        row = self.trace[max(self.at, 0)]
        if name not in row:
            raise NvmlError("Not Supported")
        return row[name]


@pytest.fixture
def stub_nvml() -> type[StubNvml]:
    return StubNvml
