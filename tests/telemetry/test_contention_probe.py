"""What else used the machine: from counters at two edges."""

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.records.timing import Contention
from harness.telemetry.contention import ContentionProbe, Edge
from harness.telemetry.culprits import culprits
from harness.telemetry.proc import TICK_NS

SECOND = 1_000_000_000


def edge(at_ns: int = 0, **changed: object) -> Edge:
    calm = Edge(
        at_ns, at_ns, busy_ns=0, own_ns=0, stalled_ns=0, major_faults=0, migrations=0, mhz=None, throttle_count=None
    )
    return dataclasses.replace(calm, **changed)  # type: ignore[arg-type]


@pytest.fixture
def probe() -> ContentionProbe:
    probe = ContentionProbe()
    probe.n_cores = 2
    return probe


def test_busy_time_that_is_not_ours_is_foreign(probe: ContentionProbe) -> None:
    found = probe.between(edge(), edge(SECOND, busy_ns=2 * SECOND, own_ns=int(1.5 * SECOND), stalled_ns=SECOND // 4))
    assert found.foreign_cpu == pytest.approx(0.25)
    assert found.pressure == pytest.approx(0.25)
    assert "0.50 of 2 cores" in probe.disturbance(found, SECOND)


def test_more_of_our_own_time_than_busy_time_is_no_foreign_time(probe: ContentionProbe) -> None:
    assert probe.between(edge(), edge(SECOND, busy_ns=SECOND, own_ns=SECOND + 5 * TICK_NS)).foreign_cpu == 0


def test_a_short_sample_is_not_condemned_for_the_coarseness_of_ticks(probe: ContentionProbe) -> None:
    found = probe.between(edge(), edge(20_000_000, busy_ns=2 * TICK_NS, own_ns=0))
    assert found.foreign_cpu == pytest.approx(0.5)
    assert probe.disturbance(found, 20_000_000) == ""


def test_a_short_sample_whose_threads_had_to_wait_for_a_core_is_disturbed(probe: ContentionProbe) -> None:
    span = 5_000_000
    found = probe.between(edge(waited_ns=7), edge(span, busy_ns=TICK_NS, own_ns=span, waited_ns=7 + span // 10))
    assert found.waited == pytest.approx(0.1)
    assert probe.disturbance(found, span) == "our threads waited for a core for 10% of the time"
    calm = probe.between(edge(waited_ns=0), edge(span, busy_ns=TICK_NS, own_ns=span, waited_ns=span // 50))
    assert probe.disturbance(calm, span) == ""


def test_who_has_more_threads_than_cores_waits_for_itself(probe: ContentionProbe) -> None:
    everything = edge(SECOND, busy_ns=2 * SECOND, own_ns=2 * SECOND, waited_ns=2 * SECOND)
    found = probe.between(edge(waited_ns=0), everything)
    assert found.waited == 0
    assert probe.disturbance(found, SECOND) == ""


def test_a_daemons_crumbs_do_not_disturb(probe: ContentionProbe) -> None:
    assert probe.disturbance(Contention(foreign_cpu=0.04), SECOND) == ""
    assert probe.disturbance(Contention(), SECOND) == ""


def test_on_many_cores_a_hundredth_of_them_is_let_pass(probe: ContentionProbe) -> None:
    probe.n_cores = 64
    assert probe.disturbance(Contention(foreign_cpu=0.009), SECOND) == ""
    assert probe.disturbance(Contention(foreign_cpu=0.016), SECOND)


def test_reasons_to_throttle_are_those_of_both_edges_and_of_a_grown_counter(probe: ContentionProbe) -> None:
    start = edge(reasons=("power cap",), throttle_count=3)
    found = probe.between(start, edge(SECOND, reasons=("power cap", "hot"), throttle_count=4))
    assert found.throttle == ("power cap", "hot", "cpu thermal")
    assert probe.disturbance(found, SECOND) == "throttled: power cap, hot, cpu thermal"


def test_a_suspended_machine_is_seen_by_its_two_clocks(probe: ContentionProbe) -> None:
    assert probe.between(edge(), edge(SECOND, boottime_ns=9 * SECOND)).throttle == ("the machine was suspended",)


def test_what_was_not_readable_stays_unknown(probe: ContentionProbe) -> None:
    blind = edge(SECOND, busy_ns=None, stalled_ns=None, migrations=None)
    assert probe.between(edge(), blind) == Contention(major_faults=0)


def test_the_mean_clock_is_of_both_edges(probe: ContentionProbe) -> None:
    assert probe.between(edge(mhz=3000.0), edge(SECOND, mhz=2000.0)).mean_mhz == 2500


def test_all_processes_named_to_the_probe_are_ours(proc_tree: Any) -> None:
    proc_tree.machine(busy_ticks=0)
    for pid in (5, 6):
        proc_tree.process(pid, ticks=0, migrations=(0,))
    probe = ContentionProbe((5, 6), proc=proc_tree.root)
    start = probe.edge()
    proc_tree.machine(busy_ticks=100)
    proc_tree.process(5, ticks=60, child_ticks=10, faults=3, migrations=(2,))
    proc_tree.process(6, ticks=30, migrations=(1,))
    found = probe.between(start, probe.edge())
    assert (found.foreign_cpu, found.major_faults, found.migrations) == (0, 3, 3)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux")
def test_a_real_foreign_process_is_noticed_and_named() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        probe = ContentionProbe((os.getpid(),))
        start = probe.edge()
        time.sleep(0.4)
        found = probe.between(start, probe.edge())
        named: set[int] = set()
        for _ in range(20):  # where many are busy, one of them may get no core for as long as a look takes
            named |= {culprit.pid for culprit in culprits((os.getpid(),))}
            if busy.pid in named:
                break
    finally:
        busy.kill()
        busy.wait()
    assert probe.disturbance(found, 400_000_000)
    assert busy.pid in named
    assert os.getpid() not in named
