"""The kernel's counters, read from trees of our own making and from the real one."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from harness.telemetry import proc


def test_busy_time_counts_stolen_time_and_not_waiting_for_a_disk(proc_tree: Any) -> None:
    proc_tree.machine(busy_ticks=100, stolen_ticks=7)
    assert proc.busy_ns(proc_tree.root) == 107 * proc.TICK_NS


def test_pressure_is_the_time_of_some_in_nanoseconds(proc_tree: Any) -> None:
    proc_tree.machine(busy_ticks=1, stalled_us=42)
    assert proc.stalled_ns(proc_tree.root) == 42_000


def test_a_process_with_brackets_and_spaces_in_its_name_is_read(proc_tree: Any) -> None:
    proc_tree.process(9, ticks=5, child_ticks=3, faults=2, migrations=(1, 4))
    counters = proc.process(9, proc_tree.root)
    assert counters is not None
    assert (counters.cpu_ns, counters.major_faults, counters.migrations) == (8 * proc.TICK_NS, 2, 5)
    assert counters.rss_bytes == 10 * os.sysconf("SC_PAGE_SIZE")


def test_what_the_kernel_does_not_offer_is_none(proc_tree: Any) -> None:
    proc_tree.process(9, ticks=5)
    counters = proc.process(9, proc_tree.root)
    assert counters is not None
    assert counters.migrations is None
    assert proc.busy_ns(proc_tree.root) is None
    assert proc.stalled_ns(proc_tree.root) is None
    assert proc.process(10, proc_tree.root) is None


def test_the_peak_of_memory_is_the_high_water_mark(proc_tree: Any) -> None:
    proc_tree.process(9, ticks=5)
    assert proc.peak_rss_bytes(9, proc_tree.root) == 2048 * 1024
    assert proc.peak_rss_bytes(10, proc_tree.root) is None


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux")
def test_our_own_time_is_known_more_finely_than_a_tick() -> None:
    before = proc.process(os.getpid())
    end = time.process_time_ns() + 2_000_000
    while time.process_time_ns() < end:
        pass
    after = proc.process(os.getpid())
    assert before is not None
    assert after is not None
    assert after.cpu_ns - before.cpu_ns >= 2_000_000


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="needs a kernel that counts run delays")
def test_waiting_for_a_core_is_counted_for_every_thread(tmp_path: Path) -> None:
    for thread, waited in (("7", 300), ("8", 40)):
        folder = tmp_path / "7" / "task" / thread
        folder.mkdir(parents=True)
        (folder / "schedstat").write_text(f"1000 {waited} 3\n")
    (tmp_path / "7" / "stat").write_text(f"7 (x) R {' '.join(['0'] * 49)}\n")
    counters = proc.process(7, tmp_path)
    assert counters is not None
    assert counters.waited_ns == 340
    assert (found := proc.process(os.getpid())) is not None
    assert found.waited_ns is not None
