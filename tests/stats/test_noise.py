import math

import numpy as np
import pytest

from harness.stats.noise import Spread, moderated, spread


def test_a_spike_changes_neither_level_nor_spread_much() -> None:
    values = np.random.default_rng(1).normal(2.0, 0.005, 20)
    clean = spread(values.tolist())
    values[7] -= 0.2
    spiked = spread(values.tolist())
    assert spiked.n == 19
    assert spiked.centre == pytest.approx(clean.centre, abs=0.001)
    assert spiked.sd == pytest.approx(clean.sd, rel=0.2)


def test_one_night_has_a_level_and_no_spread() -> None:
    alone = spread([3.0])
    assert alone.centre == 3.0
    assert math.isnan(alone.sd)
    with pytest.raises(ValueError, match="at least one night"):
        spread([])


def test_equal_nights_are_not_taken_for_perfection() -> None:
    assert spread([1.0] * 10).sd == 1e-4


def test_alike_series_are_drawn_together_and_unlike_ones_are_not() -> None:
    rng = np.random.default_rng(2)
    alike = moderated([spread(rng.normal(0, 0.005, 10).tolist()) for _ in range(100)])
    assert max(s.sd for s in alike) / min(s.sd for s in alike) < 1.8
    assert np.mean([s.sd for s in alike]) == pytest.approx(0.005, rel=0.05)
    assert alike[0].degrees > 20
    unlike = moderated([spread(rng.normal(0, 0.001 * 3.0 ** (i % 5), 10).tolist()) for i in range(100)])
    assert max(s.sd for s in unlike) / min(s.sd for s in unlike) > 20
    assert unlike[0].degrees < 15


def test_the_prior_is_the_distribution_the_variances_came_from() -> None:
    rng = np.random.default_rng(3)
    variances = 0.005**2 * 8 / rng.chisquare(8, 4000)
    drawn = moderated([Spread(0.0, float(np.sqrt(v * rng.chisquare(9) / 9)), 9.0, 10) for v in variances])
    assert drawn[0].degrees - 9 == pytest.approx(8, rel=0.15)


def test_a_single_night_is_given_the_suites_spread() -> None:
    rng = np.random.default_rng(4)
    suite = [spread(rng.normal(0, 0.005, 20).tolist()) for _ in range(50)]
    *_, lone = moderated([*suite, spread([1.0])])
    assert lone.sd == pytest.approx(0.005, rel=0.1)
    assert (lone.centre, lone.n) == (1.0, 1)


def test_few_series_stay_as_they_are() -> None:
    few = [spread([1.0, 1.1, 1.05]), spread([2.0, 2.1, 2.2])]
    assert moderated(few) == tuple(few)
