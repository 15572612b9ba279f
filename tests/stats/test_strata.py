"""One verdict over several conditions."""

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.stats.paired import compare
from harness.stats.strata import compare_strata

RNG = np.random.default_rng(5)


def stratum(log_ratio: float, sd: float, n_pairs: int, base_ns: float = 1e9) -> tuple[list[int], list[int]]:
    return _paired(log_ratio + RNG.normal(0, sd, n_pairs), base_ns)


def _paired(logs: NDArray[np.float64], base_ns: float = 1e9) -> tuple[list[int], list[int]]:
    return [round(base_ns)] * logs.size, [round(base_ns / np.exp(log)) for log in logs]


def test_a_single_stratum_gives_the_plain_comparison() -> None:
    a, b = stratum(0.02, 0.004, 9)
    whole, plain = compare_strata([(a, b)]), compare(a, b)
    assert (whole.verdict, whole.n_pairs) == (plain.verdict, plain.n_pairs)
    assert (whole.ratio, whole.low, whole.high) == pytest.approx((plain.ratio, plain.low, plain.high), rel=1e-12)


def test_a_gain_that_differs_between_strata_does_not_widen_the_interval() -> None:
    alike = compare_strata([stratum(0.05, 0.004, 4) for _ in range(8)])
    apart = compare_strata([stratum(0.02 + 0.01 * k, 0.004, 4) for k in range(8)])
    assert apart.high - apart.low < 1.8 * (alike.high - alike.low)
    assert apart.verdict == "FASTER"


def test_strata_count_alike_however_many_pairs_each_has() -> None:
    result = compare_strata([stratum(0.0, 1e-6, 20), stratum(0.04, 1e-6, 2)])
    assert result.ratio == pytest.approx(np.exp(0.02), abs=1e-5)


def test_a_thing_against_itself_alarms_no_more_than_it_promises() -> None:
    alarms = sum(
        compare_strata([stratum(0.0, 0.006, 3) for _ in range(4)], floor=0.0).verdict in {"FASTER", "SLOWER"}
        for _ in range(2000)
    )
    assert alarms <= 0.015 * 2000


def test_single_pairs_alone_cannot_tell() -> None:
    result = compare_strata([([100], [90]), ([200], [180])])
    assert (result.verdict, result.low) == ("CANNOT TELL", 0.0)


def test_no_strata_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one stratum"):
        compare_strata([])


def test_processes_that_differ_widen_the_interval_and_no_pair_would_settle_it() -> None:
    strata = [stratum(0.03, 0.002, 4) for _ in range(6)]
    sharp, honest = compare_strata(strata), compare_strata(strata, process_sd=0.015)
    assert (sharp.verdict, honest.verdict) == ("FASTER", "CANNOT TELL")
    assert honest.needed == 0
    assert np.log(honest.high / honest.low) / 2 == pytest.approx(2.576 * 0.015 * np.sqrt(2), rel=0.03)
    assert honest.ratio == sharp.ratio


def test_processes_differ_in_all_strata_alike_so_their_means_are_the_evidence() -> None:
    wrong = blind = 0
    for _ in range(400):
        own = np.repeat(RNG.normal(0, 0.02, 6), 10)
        sides = [_paired(own + RNG.normal(0, 0.002, own.size)) for _ in range(4)]
        numbers = [np.repeat(np.arange(6), 10).tolist()] * 4
        wrong += compare_strata(sides, numbers).verdict in ("FASTER", "SLOWER")
        blind += compare_strata(sides).verdict in ("FASTER", "SLOWER")
    assert wrong <= 10
    assert blind > 100


def test_a_process_that_missed_a_stratum_is_no_observation() -> None:
    whole, part = stratum(0.03, 0.001, 12), stratum(0.03, 0.001, 8)
    result = compare_strata([whole, part], [[0, 1, 2] * 4, [0, 1] * 4])
    assert (result.n_processes, result.n_pairs) == (2, 20)
