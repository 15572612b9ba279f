"""Student's interval, with scipy as the oracle."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as oracle

from harness.stats.interval import Interval, mean_interval

samples = st.lists(st.floats(1e-3, 1e9), min_size=2, max_size=60)
confidences = st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999])


@settings(max_examples=2000, deadline=None)
@given(samples, confidences)
def test_the_interval_is_scipys_t_interval(values: list[float], confidence: float) -> None:
    mine = mean_interval(values, confidence)
    sem = oracle.sem(values)
    if sem == 0:
        assert mine.low == mine.mean == mine.high
        return
    low, high = oracle.t.interval(confidence, len(values) - 1, loc=np.mean(values), scale=sem)
    assert mine.mean == pytest.approx(np.mean(values), rel=1e-12)
    assert (mine.low, mine.high) == pytest.approx((low, high), rel=1e-9, abs=1e-9 * mine.mean)


def test_one_sample_has_an_infinite_interval() -> None:
    alone = mean_interval([5.0])
    assert alone.mean == 5.0
    assert alone.half_width_relative == math.inf


def test_no_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        mean_interval([])


def test_the_relative_half_width_is_of_the_mean() -> None:
    assert Interval(mean=200.0, low=198.0, high=202.0).half_width_relative == pytest.approx(0.01)
    assert Interval(mean=0.0, low=-1.0, high=1.0).half_width_relative == math.inf


def test_the_nominal_coverage_is_kept_in_simulation() -> None:
    rng = np.random.default_rng(1)
    hits = sum(i.low <= 1 <= i.high for i in (mean_interval(row, 0.95) for row in rng.normal(1, 0.01, (4000, 5))))
    assert 0.94 <= hits / 4000 <= 0.96
