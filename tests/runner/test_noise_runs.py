"""A thing compared with itself: both sides are the same, in processes of their own, and what scatters is noise."""

from pathlib import Path

import pytest
from fake_cases import Heard, fake_case

from harness.records.case import Test
from harness.records.timing import Row, Sample
from harness.runner.noise import against_itself, measure_noise, noise_of, smoke_cases


def test_the_first_side_of_a_comparison_meets_itself() -> None:
    cases = [fake_case(f"{n}", test=Test("pp", 8), comparison="x", axes={"ubatch": n}) for n in (512, 64)]
    once, again = against_itself(cases)
    assert (once.case_id, again.case_id) == ("512", "512-again")
    assert once.axes == again.axes
    assert once.comparison == again.comparison


def test_scripted_noise_is_measured(tmp_path: Path) -> None:
    case = fake_case("a", {"noise": 0.01}, min_samples=40, max_samples=60, precision=1e-6)
    (row,), _ = measure_noise([case], tmp_path, Heard())
    assert row.test == "pp16"
    assert 59 <= row.n_pairs <= 60, "the first may count as warming up"
    assert row.sd == pytest.approx(0.01 * 2**0.5, rel=0.35)
    assert row.pairs_to_find > row.pairs_to_confine


def test_disturbed_pairs_are_left_out_of_the_noise_unless_there_are_no_others() -> None:
    def row(*states: str) -> Row:
        return Row(8, 0, 0, tuple(Sample(0, 100 + index, 8, state) for index, state in enumerate(states)))

    mixed = row("ok", "contended", "ok", "ok")
    assert (noise_of(mixed, mixed).n_pairs, noise_of(mixed, mixed).n_disturbed) == (3, 1)
    loud = row("contended", "contended", "contended")
    assert (noise_of(loud, loud).n_pairs, noise_of(loud, loud).n_disturbed) == (3, 3)


def test_the_doctors_cases_are_the_smoke_configs_tests() -> None:
    from harness.config import expand, load_config

    config = Path(__file__).parents[2] / "configs" / "smoke.yaml"
    smoke = {case.test for case in expand(load_config(config)).cases}
    assert {case.test for case in smoke_cases(10**9)} <= smoke
