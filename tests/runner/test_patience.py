"""Deadlines, and slow told from stuck; the times are given, none passes."""

from harness.runner.events import Heartbeat, Note
from harness.runner.patience import Patience, S, Watch

PATIENCE = Patience(start_ns=10 * S, stall_ns=20 * S)


def watch(case_s: int = 100) -> Watch:
    made = Watch(PATIENCE, case_s * S, 0)
    made.enter("pp512", 0)
    return made


def test_a_worker_that_reports_may_use_its_whole_deadline() -> None:
    made = watch()
    for second in range(0, 100, 5):
        made.note(Note(""), second * S)
        assert made.over(second * S) == ""
    assert "took over 100 s" in made.over(100 * S)


def test_the_start_has_a_bound_of_its_own() -> None:
    made = Watch(PATIENCE, 100 * S, 0)
    made.note(Note(""), 9 * S)
    assert "phase start took over 10 s" in made.over(10 * S)


def test_loading_may_take_half_the_deadline() -> None:
    made = watch()
    made.enter("load", 1 * S)
    made.note(Note(""), 50 * S)
    assert made.over(50 * S) == ""
    assert "phase load took over 50 s" in made.over(51 * S)


def test_an_idle_worker_is_stuck_though_its_heart_beats() -> None:
    made = watch()
    its_own_ns, its_own_bytes = 5_000_000, 2_000
    for second in range(1, 20):
        made.note(Heartbeat(second * its_own_ns, second * its_own_bytes), second * S)
    assert made.over(19 * S) == ""
    made.note(Heartbeat(20 * its_own_ns, 20 * its_own_bytes), 20 * S)
    assert made.over(20 * S) == "stuck in pp512: alive, but it used no CPU and read nothing for 20 s"


def test_a_silent_worker_is_stuck_and_said_to_be_silent() -> None:
    made = watch()
    made.note(Heartbeat(S, 0), 2 * S)
    assert made.over(22 * S) == "stuck in pp512: not even a heartbeat for 20 s"


def test_cpu_time_and_reading_are_signs_of_work_until_the_deadline() -> None:
    for beat in (lambda s: Heartbeat(s * S, 0), lambda s: Heartbeat(0, s << 20)):
        made = watch()
        for second in range(100):
            made.note(beat(second), second * S)
            assert made.over(second * S) == ""
        assert "slow rather than stuck" in made.over(100 * S)


def test_it_asks_to_be_woken_when_the_next_bound_is_reached() -> None:
    made = watch()
    made.note(Note(""), 5 * S)
    left = made.left_ns(7 * S)
    assert made.over(7 * S + left - 1) == ""
    assert made.over(7 * S + left) != ""
