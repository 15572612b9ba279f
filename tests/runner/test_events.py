"""Events survive the pipe, and nothing else passes for one."""

import pytest

from harness.records.record import Equivalence, Limits
from harness.records.timing import LoadReport, Row, Sample
from harness.runner.events import (
    Compared,
    Done,
    Event,
    Experts,
    Failed,
    Heartbeat,
    Loaded,
    Note,
    Peaks,
    Phase,
    RowDone,
    Sampled,
    Surveyed,
    decode,
    encode,
)

SAMPLE = Sample(1, 2, 3, token_ns=(4, 5), telemetry={"gpu0.power_w": 1.5})
ALL: tuple[Event, ...] = (
    Phase("load"),
    Heartbeat(1, 2),
    Loaded(LoadReport({"open": 1}, "t", 2, 3, 4, 5, plan={"merges": [{"done": True}]})),
    Sampled(1, 2, 3, SAMPLE),
    RowDone(Row(1, 2, 3, (SAMPLE,), "precision")),
    Experts(((1, 2), (3, 4))),
    Compared(Equivalence("close", "a", 0.1, 0.2, 0.3)),
    Peaks(1, None),
    Surveyed(Limits({"ram": 1.0}, {"int8": 2.0})),
    Note("Zeichen \n und ein Umbruch"),
    Done("ok"),
    Failed("oom", "OutOfMemoryError", "too small"),
)


@pytest.mark.parametrize("event", ALL, ids=lambda event: type(event).__name__)
def test_an_event_is_one_line_and_comes_back_equal(event: Event) -> None:
    line = encode(event)
    assert line.count(b"\n") == 1
    assert decode(line) == event


@pytest.mark.parametrize(
    "line", [b"", b"llama_model_loader: loaded", b"[1]", b'{"event": "Nothing"}', b'{"event": "Done"}']
)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"no event|Expecting value|validation error"):
        decode(line)


def test_nan_does_not_leave_the_worker() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(Compared(Equivalence("close", kl=float("nan"))))
