"""A /proc of our own making, to be read in place of the kernel's."""

from dataclasses import dataclass
from pathlib import Path

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
