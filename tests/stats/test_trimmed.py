"""The trimmed mean, with scipy's Yuen test as the oracle."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as oracle

from harness.stats.interval import mean_interval, t_quantile
from harness.stats.trimmed import FEWEST_TO_TRIM, TRIM, trimmed_mean

samples = st.lists(st.integers(-(10**6), 10**6).map(float), min_size=FEWEST_TO_TRIM, max_size=60, unique=True)


@settings(max_examples=1000, deadline=None)
@given(samples, samples)
def test_two_of_them_differ_as_in_scipys_yuen_test(one: list[float], other: list[float]) -> None:
    a, b = trimmed_mean(one), trimmed_mean(other)
    assert a.mean == pytest.approx(oracle.trim_mean(one, TRIM))
    expected = oracle.ttest_ind(one, other, equal_var=False, trim=TRIM).statistic
    assert (a.mean - b.mean) / math.hypot(a.error, b.error) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(1, 2), min_size=2, max_size=FEWEST_TO_TRIM - 1))
def test_of_few_nothing_is_left_out(values: list[float]) -> None:
    student, trimmed = mean_interval(values), trimmed_mean(values)
    assert trimmed.degrees == len(values) - 1
    assert trimmed.mean == pytest.approx(student.mean)
    assert t_quantile(trimmed.degrees, 0.95) * trimmed.error == pytest.approx(student.half_width, abs=1e-12)


def test_a_fifth_may_be_anywhere_at_all() -> None:
    calm = trimmed_mean([*range(10)])
    wild = trimmed_mean([-1e9, -1e9, *range(2, 8), 1e9, 1e9])
    assert wild.mean == calm.mean
    assert wild.error == calm.error


def test_samples_that_agree_have_the_least_deviation() -> None:
    assert trimmed_mean([3.0] * 5).error == 0
    assert trimmed_mean([3.0] * 4, 0.1).error == pytest.approx(0.05)


def test_one_sample_has_no_error() -> None:
    with pytest.raises(ValueError, match="at least two"):
        trimmed_mean([1.0])


@pytest.mark.parametrize("n", [8, 10, 20])
def test_the_nominal_coverage_is_kept_beside_spikes(n: int) -> None:
    rng = np.random.default_rng(n)
    rows = rng.normal(0, 1, (4000, n)) + np.where(rng.random((4000, n)) < 0.04, rng.choice([-15, 15], (4000, n)), 0)
    found = [trimmed_mean(row.tolist()) for row in rows]
    hits = sum(abs(t.mean) <= t_quantile(t.degrees, 0.95) * t.error for t in found)
    assert 0.94 <= hits / 4000 <= 0.975
