"""A record from events: what arrived is in it, and how the worker ended is its status."""

import pytest
from fake_cases import fake_case

from harness.records.record import Record
from harness.records.timing import LoadReport, Row, Sample
from harness.runner.events import Done, Event, Failed, Loaded, Peaks, RowDone, Sampled
from harness.runner.gather import Gathered, record_of
from harness.runner.supervise import Cause, End

S1, S2 = Sample(0, 10, 16), Sample(10, 30, 16)


def end(cause: Cause = "exit", code: int | None = 0, why: str = "") -> End:
    return End(cause, code, "pp16", why, "the last words")


def made(events: list[Event], how: End, *, interrupted: bool = False) -> Record:
    gathered = Gathered()
    for event in events:
        gathered.take(event)
    return record_of(fake_case(), gathered, how, interrupted=interrupted)


def load(total: int) -> Loaded:
    return Loaded(LoadReport({"open": 1, "read": total - 1}, "t", 0, 0, 1, 8))


def test_a_case_that_ends_well_has_its_rows_and_no_error() -> None:
    record = made([load(5), Sampled(16, 0, 0, S1), RowDone(Row(16, 0, 0, (S1,), "precision")), Done("ok")], end())
    assert (record.status, record.error, record.load_ns) == ("ok", None, (5,))
    assert record.rows == (Row(16, 0, 0, (S1,), "precision"),)


def test_samples_of_a_row_that_was_not_finished_are_kept() -> None:
    row = RowDone(Row(16, 0, 0, (S1,), "precision"))
    record = made([Sampled(16, 0, 0, S1), row, Sampled(0, 4, 0, S2)], end(code=-11))
    assert record.status == "crashed"
    assert record.rows[1] == Row(0, 4, 0, (S2,), "crashed")


@pytest.mark.parametrize(
    ("events", "how", "interrupted", "status", "says"),
    [
        ([], end(code=-11), False, "crashed", "SIGSEGV in phase pp16"),
        ([], end(code=-9), False, "crashed", "out of memory"),
        ([], end(code=3), False, "crashed", "exit code 3"),
        ([], end(code=0), False, "crashed", "exit code 0"),
        ([Done("ok")], end(code=1), False, "crashed", "exit code 1"),
        ([Failed("oom", "OutOfMemoryError", "too small")], end(), False, "oom", "too small"),
        ([Failed("failed", "PlanError", "no such layer")], end(), False, "failed", "no such layer"),
        ([], end("over", -9, "stuck in pp16: idle"), False, "timeout", "stuck in pp16"),
        ([Done("ok")], end("over", -9, "phase close took over 1 s"), False, "timeout", "phase close"),
        ([], end("unkillable", None, "stuck"), False, "timeout", "left alone"),
        ([], end("killed", -9), True, "interrupted", "by the user"),
        ([], end(code=-2), True, "interrupted", "by the user"),
        ([Failed("failed", "PlanError", "no such layer")], end(), True, "failed", "no such layer"),
    ],
)
def test_the_end_decides_status_and_sentence(
    events: list[Event], how: End, interrupted: bool, status: str, says: str
) -> None:
    record = made(events, how, interrupted=interrupted)
    assert record.status == status
    assert record.error is not None
    assert says in record.error.message
    assert record.error.phase == "pp16"
    assert record.error.stderr_tail == "the last words"


def test_an_invalid_case_shows_no_speed() -> None:
    record = made([Sampled(16, 0, 0, S1), RowDone(Row(16, 0, 0, (S1,))), Done("invalid")], end())
    assert (record.status, record.rows) == ("invalid", ())


def test_the_load_shown_is_the_median_one_and_all_are_counted() -> None:
    record = made([load(9), load(5), load(7), Peaks(1000, None), Done("ok")], end())
    assert record.load_ns == (9, 5, 7)
    assert record.load is not None
    assert sum(record.load.phase_ns.values()) == 7
    assert record.rss_peak_bytes == 1000


def test_time_to_first_token_is_a_prompt_from_an_empty_cache() -> None:
    deep = RowDone(Row(16, 0, 64, (S2,), "precision"))
    assert made([deep, Done("ok")], end()).ttft_ns is None
    assert made([deep, RowDone(Row(16, 0, 0, (S1, S1, S2))), Done("ok")], end()).ttft_ns == 10
