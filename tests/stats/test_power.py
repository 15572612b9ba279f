"""Numbers of pairs, against scipy's noncentral t and against plain thresholds."""

import math

import pytest
from scipy import stats as oracle

from harness.stats.power import FEWEST_PAIRS, MOST_PAIRS, pairs_to_confine, pairs_to_find, power


@pytest.mark.parametrize("n", [2, 5, 10, 40])
@pytest.mark.parametrize(("effect", "sd"), [(0.01, 0.005), (-0.01, 0.02), (0.0, 0.01), (0.002, 0.01)])
def test_power_is_scipys(n: int, effect: float, sd: float) -> None:
    critical = oracle.t.ppf(0.995, n - 1)
    shift = abs(effect) / sd * math.sqrt(n)
    far_tail = oracle.nct.cdf(-critical, n - 1, shift)  # scipy says NaN where it is nothing
    expected = oracle.nct.sf(critical, n - 1, shift) + (0.0 if math.isnan(far_tail) else far_tail)
    assert power(n, effect, sd) == pytest.approx(expected, abs=1e-4)


def test_without_an_effect_the_power_is_the_alarm_rate() -> None:
    assert power(10, 0.0, 0.01) == pytest.approx(0.01, abs=1e-4)


def test_ten_pairs_find_one_percent_at_half_a_percent_of_noise() -> None:
    assert pairs_to_find(0.01, 0.005) <= 10


def test_the_number_found_is_the_smallest() -> None:
    n = pairs_to_find(0.01, 0.02)
    assert power(n, 0.01, 0.02) >= 0.95 > power(n - 1, 0.01, 0.02)


def test_no_noise_takes_the_fewest_and_no_effect_the_most() -> None:
    assert pairs_to_find(0.01, 0.0) == FEWEST_PAIRS
    assert pairs_to_find(0.0, 0.01) == MOST_PAIRS
    assert pairs_to_confine(0.01, 0.0) == FEWEST_PAIRS


def test_a_large_shift_does_not_break_the_noncentral_t() -> None:
    assert power(1000, 1.0, 0.001) == pytest.approx(1.0)


def test_confining_shrinks_with_the_root_of_the_number() -> None:
    assert pairs_to_confine(0.001, 0.01) == pytest.approx((1.645 * 10) ** 2, rel=0.03)
