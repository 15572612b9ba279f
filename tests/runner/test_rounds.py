"""Rounds: who goes first, what counts, and when enough is enough."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from harness.records.case import Sampling
from harness.records.timing import Sample
from harness.runner.rounds import FEWEST_ROUNDS, Round, good, order, settled, why_stop

MS = 1_000_000
HOUR = 3600 * 1000 * MS


def sample(ms: float, state: str = "ok", why: str = "") -> Sample:
    return Sample(0, round(ms * MS), 1, state, disturbed_by=why)


def rounds(*times: tuple[float, ...]) -> list[Round]:
    return [tuple(sample(ms) for ms in found) for found in times]


def noisy(n: int, sd: float, ratio: float = 1.0, seed: int = 0) -> list[Round]:
    drawn = np.random.default_rng(seed).normal(0, sd, (n, 2))
    return rounds(*[(100 * np.exp(a), 100 * ratio * np.exp(b)) for a, b in drawn])


def stop(found: list[Round], elapsed_ms: float = 0, last_ms: float = 0, **sampling: float) -> str:
    chosen = Sampling(**{"precision": 0.005, **sampling})
    return why_stop(settled(found), chosen, round(elapsed_ms * MS), round(last_ms * MS), HOUR)


def test_two_sides_go_a_b_b_a() -> None:
    assert [order(2, index) for index in range(4)] == [(0, 1), (1, 0), (1, 0), (0, 1)]


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_every_side_is_equally_often_at_every_place_and_each_follows_another_as_often_as_the_reverse(n: int) -> None:
    taken = [order(n, index) for index in range(2 * n)]
    places = Counter((side, place) for found in taken for place, side in enumerate(found))
    assert set(places.values()) == {2}
    follows = Counter(pair for found in taken for pair in pairwise(found))
    assert all(count == follows[after, before] for (before, after), count in follows.items())


def test_a_disturbed_sample_takes_its_partner_with_it() -> None:
    found = settled([*rounds((100, 100)), (sample(100), sample(180, "contended", "others used a core"))])
    assert [s.state for s in found[0]] == ["ok", "ok"]
    assert [s.state for s in found[1]] == ["contended", "contended"]
    assert "others used a core" in found[1][0].disturbed_by
    assert len(good(found)) == 1


def test_one_cold_side_makes_the_round_a_warm_up_on_both() -> None:
    found = settled(rounds((100, 150), (100, 100), (100, 100.1), (100.1, 100), (100, 100), (99.9, 100)))
    assert [pair[0].state for pair in found] == ["warmup", *["ok"] * 5]
    assert [pair[1].state for pair in found] == ["warmup", *["ok"] * 5]


def test_precise_pairs_stop_and_it_does_not_matter_what_they_say() -> None:
    for ratio in (1.0, 1.004, 1.1):
        assert stop(noisy(FEWEST_ROUNDS, 0.0005, ratio)) == "precision"


def test_wide_pairs_go_on_even_where_the_verdict_has_fallen() -> None:
    assert stop(noisy(12, 0.03, 1.5)) == ""


def test_a_drift_that_both_sides_share_does_not_keep_them_apart() -> None:
    shared = np.linspace(1, 1.2, 8)
    found = [(100 * d * (1 + 0.0003 * (i % 3)), 102 * d) for i, d in enumerate(shared)]
    assert good(settled(rounds(*found)))[-1][0].state == "ok"
    assert stop(rounds(*found[-FEWEST_ROUNDS:])) == "precision"


def test_fewer_rounds_than_needed_never_stop_for_precision() -> None:
    assert stop(noisy(FEWEST_ROUNDS - 1, 0.0)) == ""
    assert stop(noisy(FEWEST_ROUNDS, 0.0), min_samples=10) == ""


def test_disturbed_rounds_are_retaken_but_not_for_ever() -> None:
    bad: list[Round] = [(sample(100, "contended", "x"), sample(100))]
    assert stop([*noisy(2, 0.0), *bad * 6]) == ""
    assert stop([*noisy(2, 0.0), *bad * 7]) == "contention"


def test_the_cap_and_the_budget_bound_a_row() -> None:
    wide = noisy(8, 0.05)
    assert stop(wide, max_samples=8) == "max samples"
    chosen = Sampling(precision=0.005)
    assert why_stop(wide, chosen, 101, 10, 100) == "time budget"
    assert why_stop(wide, chosen, 95, 10, 100) == "time budget", "the next round would not fit"
    assert why_stop(wide[:1], chosen, 95, 10, 100) == "", "one pair says nothing"
