"""Emulated devices that watch every access."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.cuda.emulator.device import EmulatedDevice, Schedule
from harness.core.synth.presets import PRESETS


@pytest.fixture(scope="session")
def wide_window(made: Any) -> Path:
    """A model whose window is wider than a tile of keys, so that tiles lie before, across, within and behind it."""
    keys = PRESETS["tiny-gpt-oss"].keys | {"attention.sliding_window": 150}
    path: Path = made("gpt-oss", {"default": "F32"}, n_layer=1, n_vocab=331, keys=keys)
    return path


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
