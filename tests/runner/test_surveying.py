"""The survey of a machine: its CPU's limits, its cards' beside them, and a sentence for a card that has none."""

from typing import Any

import pytest
from fake_cases import HASTE, Heard, fake_case

from harness.core.errors import DeviceError
from harness.core.limits import DeviceLimits
from harness.records.record import Limits
from harness.runner import survey, surveying
from harness.runner.events import Event, Note, Surveyed
from harness.runner.interrupt import Interrupt
from harness.runner.job import Job
from harness.runner.supervise import End

CPU = Limits({"read, 4 KiB pages, 1 thread": 1e10}, {"int8 vnni, 1 thread": 1e11})


class _Link:
    def __init__(self) -> None:
        self.said: list[Event] = []

    def emit(self, event: Event) -> None:
        self.said.append(event)


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> _Link:
    def limits_of(device: str) -> DeviceLimits:
        if device == "cuda:1":
            raise DeviceError("cuda:1 does not exist")
        return DeviceLimits(9e11, 3e14)

    monkeypatch.setattr(surveying, "measure", lambda _threads: CPU)
    monkeypatch.setattr(surveying, "device_limits", limits_of)
    return _Link()


def test_a_cards_limits_stand_beside_the_cpus_under_its_name(link: _Link) -> None:
    assert surveying.survey((1,), ("cuda:0",), link) == "ok"  # type: ignore[arg-type]
    (found,) = [event.limits for event in link.said if isinstance(event, Surveyed)]
    assert found.bandwidth == {**CPU.bandwidth, "copy, cuda:0": 9e11}
    assert found.rate == {**CPU.rate, "int8 mma, cuda:0": 3e14}


def test_a_card_that_cannot_be_measured_is_said_and_costs_nothing_else(link: _Link) -> None:
    surveying.survey((1,), ("cuda:1", "cuda:0"), link)  # type: ignore[arg-type]
    (told,) = [event.text for event in link.said if isinstance(event, Note)]
    assert told == "No row on cuda:1 will show its share of the limits: cuda:1 does not exist"
    (found,) = [event.limits for event in link.said if isinstance(event, Surveyed)]
    assert "copy, cuda:0" in found.bandwidth


def test_the_cards_that_cases_run_on_are_surveyed_once_and_what_the_worker_notes_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Job] = []

    def supervise(job: Job, _deadline: int, _patience: Any, _interrupt: Any, hear: Any) -> End:
        asked.append(job)
        hear(Note("a card is missing"))
        hear(Surveyed(CPU))
        return End("exit", 0, "survey", "", "")

    monkeypatch.setattr(survey, "supervise", supervise)
    devices = ("cuda:1,cuda:0", "cuda:0", "cpu:0", "cuda-emulated:0")
    cases = [fake_case(device, axes={"engine": "core", "device": device}) for device in devices]
    heard = Heard()
    assert survey.limits_of(cases, HASTE, Interrupt(), heard) == CPU
    assert [job.devices for job in asked] == [("cuda:0", "cuda:1")]
    assert heard.notes == ["a card is missing"]
