"""Joules with reasons: from traces of a card's power and counter."""

from pathlib import Path

import pytest

from harness.telemetry.energy import Energy, PowerPoint, gpu_energy, total
from harness.telemetry.rapl import packages
from harness.telemetry.reading import Reading
from harness.telemetry.watch import rapl_energy

PERIOD = 100_000_000


def trace(watts: float, n: int, *, counter: float | None = 1.0, period_ns: int = PERIOD) -> list[PowerPoint]:
    """A card at `watts` for n periods; its counter runs at `counter` times the true rate."""
    step_j = watts * period_ns / 1e9
    return [
        PowerPoint(i * period_ns, watts, None if counter is None else 500 + i * step_j * counter) for i in range(n + 1)
    ]


def test_counter_and_power_that_agree_give_the_counters_joules() -> None:
    assert (gpu_energy(trace(300, 20, counter=1.02), PERIOD)).joules == pytest.approx(612.0)


def test_counter_and_power_that_disagree_give_nothing_and_say_so() -> None:
    energy = gpu_energy(trace(300, 20, counter=1.2), PERIOD)
    assert energy.joules is None
    assert "720.0 J" in energy.why
    assert "600.0 J" in energy.why


def test_without_a_counter_the_integral_counts() -> None:
    assert (gpu_energy(trace(300, 20, counter=None), PERIOD)).joules == pytest.approx(600.0)


def test_readings_at_the_edges_alone_are_enough_with_a_counter_and_too_few_without() -> None:
    with_counter, without = trace(300, 20), trace(300, 20, counter=None)
    assert gpu_energy([with_counter[0], with_counter[-1]], PERIOD).joules == pytest.approx(600.0)
    assert gpu_energy([without[0], without[-1]], PERIOD).why == "2 power readings, 10 needed"


def test_a_gap_in_the_readings_makes_the_integral_worthless() -> None:
    points = trace(300, 30, counter=None)
    assert "gap of 500 ms" in gpu_energy(points[:10] + points[14:], PERIOD).why


def test_a_sample_shorter_than_a_second_has_no_energy() -> None:
    assert "0.50 s" in gpu_energy(trace(300, 5), PERIOD).why


def test_a_counter_that_stands_still_is_not_believed() -> None:
    assert "did not advance" in gpu_energy(trace(300, 20, counter=0.0), PERIOD).why


def test_one_reading_is_no_energy() -> None:
    assert gpu_energy(trace(300, 0), PERIOD).joules is None


def test_a_sum_is_unknown_if_a_part_is() -> None:
    assert total([Energy(2.0), Energy(3.5)]) == Energy(5.5)
    assert total([Energy(2.0), Energy(None, "why")]) == Energy(None, "why")
    assert total([]).joules is None


def write_zone(root: Path, number: int, name: str, energy_uj: int | None, range_uj: int = 1_000_000) -> None:
    zone = root / f"intel-rapl:{number}"
    zone.mkdir()
    (zone / "name").write_text(name + "\n")
    (zone / "max_energy_range_uj").write_text(f"{range_uj}\n")
    if energy_uj is not None:
        (zone / "energy_uj").write_text(f"{energy_uj}\n")


def test_packages_are_read_and_other_zones_left_out(tmp_path: Path) -> None:
    write_zone(tmp_path, 0, "package-0", 2_500_000)
    write_zone(tmp_path, 1, "psys", 1)
    found, note = packages(tmp_path)
    assert [package.read_j() for package in found] == [2.5]
    assert note == ""


def test_a_counter_only_root_may_read_is_told_apart_from_none(tmp_path: Path) -> None:
    assert "shows no energy counter" in packages(tmp_path)[1]
    write_zone(tmp_path, 0, "package-0", None)
    assert "root only" in packages(tmp_path)[1]


def test_a_counter_that_wrapped_is_unwrapped(tmp_path: Path) -> None:
    write_zone(tmp_path, 0, "package-0", 0, range_uj=10_000_000)
    found, _ = packages(tmp_path)
    start, end = Reading(0, packages_j=(9.0,)), Reading(10**9, packages_j=(1.5,))
    assert rapl_energy(found, start, end).joules == pytest.approx(2.5)


def test_too_short_a_sample_or_an_unread_edge_has_no_cpu_energy(tmp_path: Path) -> None:
    write_zone(tmp_path, 0, "package-0", 0)
    found, _ = packages(tmp_path)
    assert "too short" in rapl_energy(found, Reading(0, packages_j=(0.0,)), Reading(10**6, packages_j=(1.0,))).why
    assert "at an edge" in rapl_energy(found, Reading(0, packages_j=(None,)), Reading(10**9, packages_j=(1.0,))).why
    assert "readable" in rapl_energy((), Reading(0), Reading(10**9)).why
