"""The four verdicts, and how often each is wrong, by simulation."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as oracle

from harness.stats.paired import compare, precise_enough
from harness.stats.power import MOST_PAIRS

times = st.integers(1_000, 10**12)
MIRROR = {"FASTER": "SLOWER", "SLOWER": "FASTER", "SAME": "SAME", "CANNOT TELL": "CANNOT TELL"}
pairs = st.lists(st.tuples(times, times), min_size=2, max_size=40)


@settings(max_examples=2000, deadline=None)
@given(pairs)
def test_ratio_and_interval_are_scipys_one_sample_t_on_log_ratios(drawn: list[tuple[int, int]]) -> None:
    a, b = [p[0] for p in drawn], [p[1] for p in drawn]
    mine = compare(a, b)
    logs = np.log(np.array(a) / np.array(b))
    sem = oracle.sem(logs)
    assert math.log(mine.ratio) == pytest.approx(logs.mean(), abs=1e-12)
    if sem > 1e-12:
        low, high = oracle.t.interval(0.99, len(a) - 1, loc=logs.mean(), scale=sem)
        assert math.log(max(mine.low, 1e-300)) == pytest.approx(max(low, math.log(1e-300)), rel=1e-6, abs=1e-9)
        assert mine.high == (math.inf if high >= 700 else pytest.approx(math.exp(high), rel=1e-6))


@settings(max_examples=300, deadline=None)
@given(pairs)
def test_swapping_the_sides_inverts_the_ratio_and_the_verdict(drawn: list[tuple[int, int]]) -> None:
    a, b = [p[0] for p in drawn], [p[1] for p in drawn]
    forth, back = compare(a, b), compare(b, a)
    assert forth.ratio == pytest.approx(1 / back.ratio)
    assert MIRROR[forth.verdict] == back.verdict


def test_half_the_time_is_twice_the_speed_and_faster() -> None:
    result = compare([100, 102, 98, 101], [50, 51, 49, 50])
    assert result.ratio == pytest.approx(2.0, rel=0.01)
    assert result.verdict == "FASTER"
    assert result.needed == 0


def test_equal_times_are_the_same() -> None:
    assert compare([100, 200, 300], [100, 200, 300]).verdict == "SAME"


def test_a_significant_effect_below_the_floor_is_not_called_faster() -> None:
    rng = np.random.default_rng(0)
    b = rng.normal(1e9, 1e5, 20)
    assert compare((b * 1.003).astype(int).tolist(), b.astype(int).tolist()).verdict == "SAME"
    assert compare((b * 1.003).astype(int).tolist(), b.astype(int).tolist(), floor=0.002).verdict == "FASTER"


def test_one_pair_cannot_tell_and_says_how_many_can() -> None:
    result = compare([100], [50])
    assert (result.verdict, result.low, result.high) == ("CANNOT TELL", 0.0, math.inf)
    assert result.needed >= 2


def test_a_drift_common_to_both_sides_cancels() -> None:
    drift = np.linspace(1, 3, 10)
    rng = np.random.default_rng(3)
    a, b = 1e9 * drift * rng.normal(1, 1e-3, 10), 0.95e9 * drift * rng.normal(1, 1e-3, 10)
    result = compare(a.astype(int).tolist(), b.astype(int).tolist())
    assert result.verdict == "FASTER"
    assert result.ratio == pytest.approx(1 / 0.95, rel=0.003)


@pytest.mark.parametrize(("a", "b"), [([], []), ([1, 2], [1]), ([1, 0], [1, 1])])
def test_what_is_not_a_set_of_pairs_is_refused(a: list[int], b: list[int]) -> None:
    with pytest.raises(ValueError, match=r"pairs need|positive"):
        compare(a, b)


def simulate(effect: float, sd: float, n_pairs: int, runs: int, seed: int) -> Counter[str]:
    """Verdicts of `runs` comparisons where b is `effect` faster and a pair's log ratio has deviation `sd`."""
    rng = np.random.default_rng(seed)
    logs = rng.normal(math.log1p(effect), sd, (runs, n_pairs))
    b = np.full(n_pairs, 10**9).tolist()
    return Counter(compare((1e9 * np.exp(row)).astype(np.int64).tolist(), b).verdict for row in logs)


@pytest.mark.parametrize("n_pairs", [5, 10, 20])
def test_a_thing_compared_with_itself_alarms_in_at_most_one_and_a_half_percent(n_pairs: int) -> None:
    verdicts = simulate(0.0, 0.005, n_pairs, 4000, seed=n_pairs)
    assert (verdicts["FASTER"] + verdicts["SLOWER"]) / 4000 <= 0.015


def test_noise_far_above_the_floor_does_not_raise_the_alarm_rate() -> None:
    verdicts = simulate(0.0, 0.05, 10, 4000, seed=5)
    assert 0.004 <= (verdicts["FASTER"] + verdicts["SLOWER"]) / 4000 <= 0.015


def test_one_percent_slower_is_found_by_ten_pairs_at_half_a_percent_of_noise() -> None:
    assert simulate(-0.01, 0.005, 10, 4000, seed=2)["SLOWER"] / 4000 >= 0.95


@pytest.mark.parametrize(("sd", "least", "most"), [(0.0075, 0.77, 0.83), (0.02, 0.08, 0.13)])
def test_the_power_at_more_noise_is_as_documented(sd: float, least: float, most: float) -> None:
    assert least <= simulate(-0.01, sd, 10, 4000, seed=4)["SLOWER"] / 4000 <= most


def test_the_pairs_asked_for_do_settle_it() -> None:
    rng = np.random.default_rng(8)
    settled = asked = 0
    for _ in range(300):
        first = compare(*_draw(rng, 0.01, 0.01, 5))
        if first.verdict != "CANNOT TELL" or first.needed >= MOST_PAIRS:
            continue
        effect = first.ratio - 1
        again = compare(*_draw(rng, effect, first.sd, first.needed))
        asked += 1
        settled += again.verdict != "CANNOT TELL"
    assert asked > 50
    assert settled / asked >= 0.8


def _draw(rng: np.random.Generator, effect: float, sd: float, n: int) -> tuple[list[int], list[int]]:
    return (1e9 * np.exp(rng.normal(math.log1p(effect), sd, n))).astype(np.int64).tolist(), [10**9] * n


def test_pairs_are_enough_by_their_precision_whatever_they_say() -> None:
    rng = np.random.default_rng(9)
    steady, loose = rng.normal(0, 0.002, 10), rng.normal(0, 0.05, 10)
    for effect in (0.0, 0.02):
        b = np.full(10, 10**9).tolist()
        assert precise_enough((1e9 * np.exp(steady + effect)).astype(np.int64).tolist(), b)
        assert not precise_enough((1e9 * np.exp(loose + effect)).astype(np.int64).tolist(), b)
    assert not precise_enough([100], [100])


def lives(
    rng: np.random.Generator, n_processes: int, n_pairs: int, process_sd: float
) -> tuple[list[int], list[int], list[int]]:
    """A thing compared with itself: a pair scatters by 0.5 %, a pair of processes by `process_sd` beside it."""
    own = np.repeat(rng.normal(0, process_sd, n_processes), n_pairs)
    logs = own + rng.normal(0, 0.005, own.size)
    numbers = np.repeat(np.arange(n_processes), n_pairs)
    return (1e9 * np.exp(logs)).astype(np.int64).tolist(), [10**9] * own.size, numbers.tolist()


@pytest.mark.parametrize("n_processes", [3, 8])
def test_what_differs_between_processes_does_not_alarm_where_each_process_is_one_observation(n_processes: int) -> None:
    rng = np.random.default_rng(n_processes)
    drawn = [lives(rng, n_processes, 30, 0.02) for _ in range(2000)]
    wrong = sum(compare(*sides).verdict in ("FASTER", "SLOWER") for sides in drawn)
    assert wrong / 2000 <= 0.015
    blind = sum(compare(a, b).verdict in ("FASTER", "SLOWER") for a, b, _ in drawn)
    assert blind / 2000 > 0.3, "the simulation has nothing in it that could go wrong"


def test_eight_processes_find_a_thing_the_same_as_itself_and_two_percent_different() -> None:
    rng = np.random.default_rng(3)
    drawn = [lives(rng, 8, 30, 0.004) for _ in range(500)]
    assert sum(compare(*sides).verdict == "SAME" for sides in drawn) / 500 >= 0.95
    slower = [(a, [round(t * 1.02) for t in b], n) for a, b, n in drawn]
    assert sum(compare(*sides).verdict == "SLOWER" for sides in slower) / 500 >= 0.95


def test_an_open_verdict_of_several_processes_asks_for_processes() -> None:
    a, b, numbers = lives(np.random.default_rng(1), 2, 30, 0.01)
    result = compare(a, b, numbers)
    assert (result.verdict, result.n_processes, result.n_pairs) == ("CANNOT TELL", 2, 60)
    assert 2 < result.needed < 60


def test_every_pair_needs_its_process() -> None:
    with pytest.raises(ValueError, match="3 pairs cannot be of 2 processes"):
        compare([1, 1, 1], [1, 1, 1], [0, 1])
