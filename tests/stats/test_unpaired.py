import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from harness.stats.unpaired import compare_sessions


def test_sessions_on_both_sides_give_students_interval() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(3, 0.01, 6), rng.normal(3.05, 0.01, 4)
    found = compare_sessions(a.tolist(), b.tolist())
    oracle = ttest_ind(b, a).confidence_interval(0.99)
    assert (math.log(found.low), math.log(found.high)) == pytest.approx((oracle.low, oracle.high))
    assert (found.verdict, found.basis) == ("FASTER", "its sessions")


def test_a_thing_compared_with_itself_is_rarely_told_apart() -> None:
    rng = np.random.default_rng(2)
    alarms = sum(
        compare_sessions(rng.normal(3, 0.01, 5).tolist(), rng.normal(3, 0.01, 5).tolist()).verdict != "SAME"
        and compare_sessions(rng.normal(3, 0.01, 5).tolist(), rng.normal(3, 0.01, 5).tolist()).verdict
        in {"FASTER", "SLOWER"}
        for _ in range(500)
    )
    assert alarms <= 10


def test_single_sessions_cannot_tell_a_small_difference_and_can_tell_a_large_one() -> None:
    assert compare_sessions([3.0], [3.02]).verdict == "CANNOT TELL"
    large = compare_sessions([3.0], [3.3])
    assert large.verdict == "FASTER"
    assert "assumed" in large.basis


def test_a_known_history_replaces_the_assumption() -> None:
    found = compare_sessions([3.0], [2.98], known_sd=0.003)
    assert (found.verdict, found.basis) == ("SLOWER", "the series' history")


def test_the_same_needs_narrow_evidence() -> None:
    assert compare_sessions([3.0] * 5, [3.001] * 5).verdict == "SAME"
    assert compare_sessions([3.0], [3.0]).verdict == "CANNOT TELL"


def test_swapping_the_sides_mirrors_the_verdict() -> None:
    there, back = compare_sessions([3.0, 3.01], [3.2, 3.21]), compare_sessions([3.2, 3.21], [3.0, 3.01])
    assert (there.verdict, back.verdict) == ("FASTER", "SLOWER")
    assert there.ratio * back.ratio == pytest.approx(1)


def test_an_empty_side_is_refused() -> None:
    with pytest.raises(ValueError, match="need a session"):
        compare_sessions([], [1.0])


def test_sessions_that_scatter_inside_are_not_told_apart_by_an_assumption() -> None:
    assert compare_sessions([3.0], [2.85]).verdict == "SLOWER"
    found = compare_sessions([3.0], [2.85], within=0.2)
    assert found.verdict == "CANNOT TELL"
    assert "scatter" in found.basis
    assert compare_sessions([3.0], [2.85], known_sd=0.003, within=0.2).verdict == "CANNOT TELL"
