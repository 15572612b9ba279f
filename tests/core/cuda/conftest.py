"""Emulated devices that watch every access."""

from collections.abc import Callable, Iterator

import pytest

from harness.core.cuda.emulator.device import EmulatedDevice, Schedule


@pytest.fixture
def device() -> Iterator[Callable[..., EmulatedDevice]]:
    """device(Schedule.REVERSE): a checked device, which must have nothing to report at the end of the test."""
    made: list[EmulatedDevice] = []

    def make(schedule: Schedule = Schedule.FORWARD, seed: int = 0) -> EmulatedDevice:
        made.append(EmulatedDevice(checked=True, schedule=schedule, seed=seed))
        return made[-1]

    yield make
    for each in made:
        assert each.reports() == ""
