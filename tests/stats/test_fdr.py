import numpy as np
import pytest
from scipy.stats import false_discovery_control

from harness.stats.fdr import q_values


@pytest.mark.parametrize("n", [1, 2, 7, 150])
def test_it_agrees_with_scipy(n: int) -> None:
    p = np.random.default_rng(n).random(n)
    assert q_values(p) == pytest.approx(false_discovery_control(p), abs=1e-12)


def test_no_tests_give_no_values() -> None:
    assert q_values([]).size == 0


def test_one_strong_finding_is_paid_for_by_the_size_of_the_suite() -> None:
    assert q_values([0.0001, *[1.0] * 149])[0] == pytest.approx(0.015)
