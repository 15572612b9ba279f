"""What a test's rows are, and what of them is timed."""

from collections.abc import Sequence

from harness.records.case import Test
from harness.records.timing import Timing
from harness.runner.measure import Measurement, measurements

STREAM = list(range(1000))


class Notes:
    """An engine that notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[int], int]] = []

    def prefill(self, tokens: Sequence[int], depth: int) -> Timing:
        self.asked.append(("prefill", list(tokens), depth))
        return Timing(len(tokens), 100)

    def decode(self, tokens: Sequence[int], depth: int) -> Timing:
        self.asked.append(("decode", list(tokens), depth))
        return Timing(len(tokens), 7 * len(tokens), (7,) * len(tokens))


def test_a_sweep_generates_before_it_prompts_at_every_depth() -> None:
    rows = measurements(Test("sweep", 32, 8, (0, 32)))
    assert [row.name for row in rows] == ["tg8", "pp32", "tg8 @ d32", "pp32 @ d32"]


def test_pp_tg_and_pg_have_a_row_per_depth() -> None:
    for kind, names in (
        ("pp", ["pp32", "pp32 @ d64"]),
        ("tg", ["tg8", "tg8 @ d64"]),
        ("pg", ["pp32+tg8", "pp32+tg8 @ d64"]),
    ):
        found = measurements(Test(kind, 32 if "p" in kind else 0, 8 if "g" in kind else 0, (0, 64)))  # type: ignore[arg-type]
        assert [row.name for row in found] == names


def test_a_load_test_has_no_rows_of_tokens() -> None:
    assert measurements(Test("load")) == ()


def test_pg_is_timed_together_and_its_tokens_follow_each_other() -> None:
    engine = Notes()
    timing = Measurement(3, 2, 10).repetition(engine, STREAM).take()  # type: ignore[arg-type]
    assert engine.asked == [("prefill", [10, 11, 12], 10), ("decode", [13, 14], 13)]
    assert timing == Timing(5, 114, (7, 7))


def test_only_an_engine_that_fills_ahead_or_needs_no_filling_is_observed_alone() -> None:
    class Filling(Notes):
        def fill(self, depth: int) -> None:
            self.asked.append(("fill", [], depth))

    assert Measurement(3, 0, 0).repetition(Notes(), STREAM).prepare()  # type: ignore[arg-type]
    assert not Measurement(3, 0, 9).repetition(Notes(), STREAM).prepare()  # type: ignore[arg-type]
    engine = Filling()
    assert Measurement(3, 0, 9).repetition(engine, STREAM).prepare()  # type: ignore[arg-type]
    assert engine.asked == [("fill", [], 9)]
