"""Warm-up is what the later half would not predict."""

import numpy as np
import pytest

from harness.stats.warmup import detect


@pytest.mark.parametrize("samples", [[], [1.0], [9.0, 1.0], [9.0, 1.0, 1.0]])
def test_too_few_samples_say_nothing(samples: list[float]) -> None:
    assert detect(samples) == 0


def test_a_slow_first_sample_is_warm_up() -> None:
    assert detect([1.5, 1.001, 0.999, 1.0, 1.002, 0.998]) == 1


def test_a_fast_start_under_boost_clocks_is_warm_up_too() -> None:
    assert detect([0.80, 0.85, 1.001, 0.999, 1.0, 1.002, 0.998, 1.0]) == 2


def test_a_gradual_start_is_excluded_up_to_the_noise() -> None:
    rng = np.random.default_rng(0)
    samples = (1 + 0.5 * np.exp(-np.arange(30) / 2)) * rng.normal(1, 0.003, 30)
    assert 5 <= detect(samples.tolist()) <= 11


def test_a_lone_outlier_inside_is_not_warm_up() -> None:
    assert detect([1.0, 1.001, 3.0, 1.0, 1.001, 0.999, 1.0, 1.002]) == 0


def test_at_most_half_is_excluded() -> None:
    assert detect([3.0, 3.0, 3.0, 3.0, 3.0, 1.0, 1.0, 1.0]) <= 4


def test_a_start_slower_by_less_than_a_percent_is_left_in() -> None:
    assert detect([1.005, 1.0, 1.0, 1.0, 1.0, 1.0]) == 0


def test_steady_noise_is_seldom_called_warm_up() -> None:
    rng = np.random.default_rng(7)
    wrong = sum(detect(row) > 0 for row in rng.normal(1, 0.01, (2000, 10)).tolist())
    assert wrong / 2000 <= 0.01
