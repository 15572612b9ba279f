"""Marks around a sample: what they say about the sample between them."""

import os
import subprocess
import sys
import time
from typing import Any

import pytest

from harness.telemetry.nvml import GpuReading, Gpus
from harness.telemetry.reading import Reader, Reading, summary
from harness.telemetry.sampler import Sampler
from harness.telemetry.watch import Watch, leaves_a_core_free


def rows(n: int, **changed: object) -> list[dict[str, object]]:
    """A card at 300 W whose counter fits readings a tenth of a second apart."""
    return [
        {"power_mw": 300_000, "energy_mj": i * 30_000, "temperature_c": 60 + i, "reasons": 0, "ecc": 0} | changed
        for i in range(n)
    ]


@pytest.fixture
def edges_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.telemetry.watch.leaves_a_core_free", lambda *_: False)


@pytest.mark.usefixtures("edges_only")
def test_a_short_gpu_sample_has_telemetry_but_no_energy_and_says_why(stub_nvml: Any) -> None:
    watch = Watch("cuda:0", 0, gpus=Gpus(stub_nvml(rows(9))))
    seen = watch.between(watch.mark(), watch.mark())
    watch.close()
    assert seen.energy.joules is None
    assert "one second or more" in seen.energy.why
    assert seen.telemetry["gpu0.power_w"] == 300
    assert seen.telemetry["gpu0.temperature_peak_c"] == 61
    assert watch.notes == ()


@pytest.mark.usefixtures("edges_only")
def test_a_throttled_card_disturbs_the_sample(stub_nvml: Any) -> None:
    watch = Watch("cuda:0", 0, gpus=Gpus(stub_nvml(rows(9, reasons=0x40))))
    seen = watch.between(watch.mark(), watch.mark())
    assert seen.contention.throttle == ("hardware thermal slowdown",)
    assert seen.disturbed == "throttled: hardware thermal slowdown"


@pytest.mark.usefixtures("edges_only")
def test_an_xid_breaks_the_card_and_a_harmless_one_does_not(stub_nvml: Any) -> None:
    watch = Watch("cuda:0", 0, gpus=Gpus(stub_nvml(rows(9), xids=(92, 79))))
    assert watch.between(watch.mark(), watch.mark()).broken == "the driver reported Xid 79 (fatal)"
    assert watch.between(watch.mark(), watch.mark()).broken == ""


@pytest.mark.usefixtures("edges_only")
def test_an_uncorrected_memory_error_breaks_the_card(stub_nvml: Any) -> None:
    trace = rows(1) + rows(1, ecc=1)
    watch = Watch("cuda:0", 0, gpus=Gpus(stub_nvml(trace)))
    assert "uncorrected memory error" in watch.between(watch.mark(), watch.mark()).broken


def test_without_a_driver_a_gpu_case_is_told_so_and_a_cpu_case_is_not(stub_nvml: Any) -> None:
    for device, expected in (("cuda:0", True), ("cpu:0", False)):
        watch = Watch(device, os.cpu_count() or 1, gpus=Gpus(stub_nvml([], fails="none")))
        watch.close()
        assert any("NVIDIA" in note for note in watch.notes) == expected


def test_when_every_core_measures_no_sampler_takes_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert not leaves_a_core_free("cpu:0", 4)
    assert not leaves_a_core_free("cpu:0", 0)
    assert leaves_a_core_free("cpu:0", 3)
    assert leaves_a_core_free("cuda:0", 4)


def test_the_sampler_reads_ten_times_a_second_until_it_is_closed() -> None:
    sampler = Sampler((os.getpid(),))
    deadline = time.monotonic() + 20
    while not sampler.readings(0, 2**62) and time.monotonic() < deadline:
        time.sleep(0.05)
    start = time.monotonic_ns()
    time.sleep(0.65)
    readings = sampler.readings(start, time.monotonic_ns())
    sampler.close()
    assert 4 <= len(readings) <= 8
    assert all(start <= r.time_ns and r.rss_bytes > 1_000_000 for r in readings)
    assert sampler.readings(0, 2**62) == ()


def test_the_sampler_ends_when_its_parent_dies() -> None:
    take = "from harness.telemetry.sampler import Sampler; s = Sampler((os.getpid(),))"
    script = f"import os, time; {take}; print(s.pid, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 20
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:  # noqa: PTH110
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}")  # noqa: PTH110


def test_a_watched_process_that_ended_costs_its_reading_only() -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    reader = Reader((ended.pid, os.getpid()), Gpus(), ())
    ended.wait()
    assert reader.read().rss_bytes > 0


def test_a_summary_keeps_peaks_and_means_and_drops_the_unknown() -> None:
    readings = [
        Reading(0, rss_bytes=5, gpus=(GpuReading(power_w=100.0, temperature_c=50.0),)),
        Reading(1, rss_bytes=9, gpus=(GpuReading(power_w=200.0, temperature_c=40.0),)),
    ]
    assert summary(readings) == {"rss_peak_bytes": 9, "gpu0.power_w": 150.0, "gpu0.temperature_peak_c": 50.0}
    assert summary([]) == {}
