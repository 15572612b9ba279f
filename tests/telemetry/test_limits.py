"""The machine's limits: that they are measured and plausible in relation to each other, never how large they are."""

from pathlib import Path

import pytest

from harness.records.record import Limits
from harness.telemetry.frequency import core_mhz
from harness.telemetry.limits import LEAST_BUFFER, buffer_bytes, measure


@pytest.fixture(scope="module")
def limits() -> Limits:
    return measure(passes=1, seconds=0.002)


def test_bandwidth_is_measured_for_one_thread_and_for_all(limits: Limits) -> None:
    assert "read, 4 KiB pages, 1 thread" in limits.bandwidth
    assert all(value > 0 for value in limits.bandwidth.values())


def test_both_int8_figures_and_the_float_one_are_named(limits: Limits) -> None:
    for kind in ("int8 maddubs+madd", "int8 int16-summed", "f32 fma"):
        assert any(name.startswith(kind) and name.endswith("1 thread") for name in limits.rate)


def test_no_rate_beats_what_the_widest_instruction_could_do(limits: Limits) -> None:
    clock_hz = (core_mhz() or 0) * 1e6
    assert clock_hz > 0
    ceiling = {"avx2": 2 * 32, "avx512": 2 * 64}  # two multipliers of the width, one product a byte
    for name, macs in limits.rate.items():
        if name.endswith("1 thread"):
            (isa,) = (isa for isa in ceiling if f"{isa}," in name)
            assert macs <= 2 * ceiling[isa] * clock_hz


def test_the_buffer_leaves_the_machine_its_memory(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   40960 kB\n")
    assert buffer_bytes(tmp_path / "meminfo") == 10 << 20
    assert buffer_bytes(tmp_path / "nowhere") >= LEAST_BUFFER
