import pytest

from harness.stats.machine import machine_shift

NIGHTS = [{"int8": 3.0 + 0.001 * night, "f32": 5.0} for night in range(6)]


def test_the_shift_is_that_of_the_middle_limit_from_its_own_level() -> None:
    three = [{**night, "vnni": 7.0} for night in NIGHTS]
    assert machine_shift(three, [{"int8": 3.0025 - 0.05, "f32": 5.0 - 0.06, "vnni": 7.0}]) == pytest.approx(-0.05)


def test_tonights_sessions_are_averaged_and_a_stray_night_moves_no_level() -> None:
    strays = [*NIGHTS, {"f32": 4.0}]
    assert machine_shift(strays, [{"f32": 5.0 - 0.02}, {"f32": 5.0 - 0.06}]) == pytest.approx(-0.04)


def test_nothing_is_said_without_enough_nights_or_limits() -> None:
    assert machine_shift(NIGHTS[:4], [{"f32": 5.0}]) is None
    assert machine_shift(NIGHTS, [{}, {}]) is None
    assert machine_shift(NIGHTS, [{"another": 1.0}]) is None
