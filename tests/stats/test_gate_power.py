"""The simulation of benchmarks/gate_power.py, small: enough to notice a gate that cries wolf or sleeps."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).parents[2] / "benchmarks" / "gate_power.py"


@pytest.fixture(scope="module")
def power() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gate_power", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gate_power"] = module
    spec.loader.exec_module(module)
    return module


def test_unchanged_suites_rarely_alarm(power: ModuleType) -> None:
    tally = power.simulate(power.Suite(), power.Noise(), suites=40)
    assert tally.suites_alarmed <= 4
    assert tally.false_alarms <= 0.002 * 40 * 150


def test_a_night_that_reruns_share_does_not_make_it_alarm_more(power: ModuleType) -> None:
    tally = power.simulate(power.Suite(), power.Noise(own_night=0.005), suites=40)
    assert tally.suites_alarmed <= 5


def test_turns_with_the_baselines_build_tell_what_a_night_hides(power: ModuleType) -> None:
    hidden = power.Noise(own_night=0.005)
    unchanged = power.simulate(power.Suite(turns=20), hidden, suites=40)
    assert unchanged.suites_alarmed <= 4
    slower = power.Suite(slowdown=0.02, slowed=3)
    alone, in_turns = (power.simulate(power.replace(slower, turns=n), hidden, suites=15) for n in (0, 20))
    assert in_turns.found > 1.5 * alone.found


@pytest.mark.parametrize(("slowdown", "least"), [(0.02, 0.75), (0.05, 0.97)])
def test_a_slowdown_of_the_last_night_is_found(power: ModuleType, slowdown: float, least: float) -> None:
    tally = power.simulate(power.Suite(slowdown=slowdown, slowed=3), power.Noise(), suites=15)
    assert tally.found / (tally.found + tally.missed) >= least
