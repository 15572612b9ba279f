import numpy as np
import pytest
from numpy.typing import NDArray

from harness.stats.changes import change_points


def noise(n: int, seed: int, sd: float = 0.005) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(3.0, sd, n)


def test_a_step_is_found_where_it_is_with_its_size() -> None:
    values = noise(40, seed=1)
    values[25:] -= 0.05
    (change,) = change_points(values.tolist())
    assert change.index == 25
    assert change.low < -0.05 < change.high
    assert change.shift == pytest.approx(-0.05, abs=0.004)
    assert change.p_value <= 0.01


def test_three_nights_after_a_regression_are_enough() -> None:
    values = noise(23, seed=2)
    values[20:] -= 0.05
    assert [change.index for change in change_points(values.tolist())] == [20]


def test_a_step_down_and_up_again_are_two() -> None:
    values = noise(60, seed=3)
    values[20:35] -= 0.03
    down, up = change_points(values.tolist())
    assert (down.index, up.index) == (20, 35)
    assert down.shift < 0 < up.shift


def test_a_short_episode_in_a_long_series_is_seen() -> None:
    values = noise(33, seed=4)
    values[15:18] -= 0.08
    assert [change.index for change in change_points(values.tolist())] == [15, 18]


def test_flat_series_have_a_step_no_more_often_than_promised() -> None:
    found = sum(bool(change_points(noise(30, seed=seed).tolist())) for seed in range(400))
    assert found <= 10


def test_one_bad_night_is_no_step() -> None:
    for seed in range(30):
        values = noise(30, seed=100 + seed)
        values[20] -= 0.15
        assert not [c for c in change_points(values.tolist()) if abs(c.index - 20) <= 1]


def test_the_same_series_gives_the_same_answer() -> None:
    values = noise(40, seed=5)
    values[10:] += 0.02
    assert change_points(values.tolist()) == change_points(values.tolist())


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 5, [1.0] * 50, [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]])
def test_what_is_too_short_or_flat_has_no_step(values: list[float]) -> None:
    assert change_points(values) == ()


def test_a_step_in_a_noiseless_series_is_found() -> None:
    assert [c.index for c in change_points([1.0] * 10 + [0.9] * 10)] == [10]
