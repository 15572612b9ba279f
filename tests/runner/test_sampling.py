"""When sampling stops, what it excludes, and that it keeps everything."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines.tools import Tools
from harness.errors import EngineError
from harness.records.case import Sampling
from harness.records.timing import Contention, Sample, Timing
from harness.runner.measure import Repetition
from harness.runner.sampling import RETAKES, Sampler, Series

MS = 1_000_000


@dataclass(frozen=True)
class Joules:
    joules: float | None = 3.5
    why: str = ""


@dataclass(frozen=True)
class Seen:
    contention: Contention = field(default_factory=Contention)
    energy: Joules = Joules()
    telemetry: dict[str, float] = field(default_factory=dict)
    disturbed: str = ""
    broken: str = ""


CALM = Seen()
BUSY = Seen(Contention(foreign_cpu=0.5), disturbed="somebody else computes")
HOT = Seen(Contention(throttle=("heat",)), disturbed="throttled: heat")


class Bench:
    """A clock that moves with the scripted times, and a probe that sees what the script says."""

    def __init__(self, times_ms: Sequence[float], seen: Sequence[Seen] = (), *, alone: bool = True) -> None:
        self._times: Iterator[float] = iter(times_ms)
        self._seen: Iterator[Seen] = iter(seen)
        self._now = 0
        self._alone = alone
        self.reported: list[Sample] = []
        self.stop_after = 10**9

    def run(self, budget_ms: float = 1e9, **sampling: float) -> Series:
        tools = Tools(lambda: self._now, self)
        wanted = Sampling(**sampling)  # type: ignore[arg-type]
        repetition = Repetition(lambda: self._alone, self._take)
        return Sampler(repetition, tools, wanted, round(budget_ms * MS), self.reported.append, self._stop).run()

    def mark(self) -> None: ...

    def between(self, _start: None, _end: None) -> Seen:
        return next(self._seen, CALM)

    def close(self) -> None: ...

    def _take(self) -> Timing:
        took = round(next(self._times) * MS)
        self._now += took
        return Timing(8, took)

    def _stop(self) -> bool:
        return len(self.reported) >= self.stop_after


def states(series: Series) -> list[str]:
    return [sample.state for sample in series.samples]


def test_equal_samples_stop_at_the_least_number() -> None:
    series = Bench([10] * 9).run(min_samples=4)
    assert (len(series.samples), series.stopped_by) == (4, "precision")


def test_noise_is_sampled_until_the_interval_is_narrow_enough() -> None:
    times = [10, 10.4] * 500
    rough = Bench(times).run(precision=0.05, max_samples=900)
    fine = Bench(times).run(precision=0.005, max_samples=900)
    assert rough.stopped_by == fine.stopped_by == "precision"
    assert len(rough.samples) < 10 < len(fine.samples) < 200


def test_the_cap_ends_what_never_settles() -> None:
    series = Bench([10, 20] * 50).run(max_samples=12)
    assert (len(series.samples), series.stopped_by) == (12, "max samples")


def test_no_sample_begins_that_the_budget_would_not_see_the_end_of() -> None:
    series = Bench([10, 12] * 50).run(budget_ms=55)
    assert series.stopped_by == "time budget"
    assert sum(sample.total_ns for sample in series.samples) <= 55 * MS


def test_a_sample_longer_than_the_budget_stands_alone() -> None:
    assert len(Bench([100] * 5).run(budget_ms=50).samples) == 1


def test_two_samples_are_taken_where_only_one_and_a_half_fit() -> None:
    assert len(Bench([40] * 5).run(budget_ms=60, precision=1e-9, min_samples=5).samples) == 2


def test_slow_first_samples_are_kept_marked_and_left_out() -> None:
    series = Bench([30, 14, 10, 10.01, 10, 10.01, 10, 10.01] * 3).run(precision=0.001)
    assert states(series)[:3] == ["warmup", "warmup", "ok"]
    assert "warmup" not in states(series)[2:]


def test_contended_and_throttled_samples_are_retaken_and_kept() -> None:
    series = Bench([10] * 20, [BUSY, CALM, HOT, CALM, CALM]).run(min_samples=3)
    assert states(series) == ["contended", "ok", "throttled", "ok", "ok"]
    assert series.samples[0].disturbed_by == "somebody else computes"


def test_retaking_ends_on_a_machine_that_is_never_quiet() -> None:
    series = Bench([10] * 100, [BUSY] * 100).run()
    assert (len(series.samples), series.stopped_by) == (RETAKES + 1, "contention")


def test_a_device_that_broke_ends_the_case() -> None:
    with pytest.raises(EngineError, match="fell off the bus"):
        Bench([10], [Seen(broken="the card fell off the bus")]).run()


def test_energy_is_given_only_where_the_timed_part_was_alone() -> None:
    assert Bench([10] * 3).run().samples[0].energy_j == 3.5
    mixed = Bench([10] * 3, alone=False).run().samples[0]
    assert mixed.energy_j is None
    assert "fills its cache" in mixed.energy_why


def test_an_interrupt_ends_after_the_sample_being_taken() -> None:
    bench = Bench([10, 20] * 50)
    bench.stop_after = 2
    assert (len(bench.run().samples), bench.reported[-1].total_ns) == (2, 20 * MS)


@given(st.lists(st.floats(1, 100), min_size=60, max_size=60), st.lists(st.sampled_from([CALM, BUSY, HOT]), max_size=60))
def test_whatever_comes_sampling_ends_and_reports_every_sample(times: list[float], seen: list[Seen]) -> None:
    bench = Bench(times, seen)
    series = bench.run(max_samples=50)
    assert 1 <= len(series.samples) <= 50
    assert [s.total_ns for s in bench.reported] == [s.total_ns for s in series.samples]
