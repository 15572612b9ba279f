"""The order of cases: A B then B A."""

from fake_cases import fake_case
from hypothesis import given
from hypothesis import strategies as st

from harness.records.case import Case, Test
from harness.runner.order import interleaved


def side(test: str, merge: bool, model: str = "m") -> Case:
    from harness.records.case import ModelRef

    return fake_case(
        f"{model} {test} {merge}",
        test=Test("pp", int(test)),
        comparison=f"{model} {test}",
        axes={"merge_up_gate": merge},
        model=ModelRef(model),
    )


def test_sides_of_a_comparison_alternate_which_goes_first() -> None:
    cases = [side(test, merge) for merge in (False, True) for test in ("1", "2", "3")]
    order = [case.case_id for case in interleaved(cases)]
    assert order == ["m 1 False", "m 1 True", "m 2 True", "m 2 False", "m 3 False", "m 3 True"]


def test_every_baseline_goes_first_the_first_time() -> None:
    cases = [side(test, merge, model) for model in ("m", "n") for test in ("1", "2") for merge in (False, True)]
    order = [case.case_id for case in interleaved(cases)]
    assert order[4:6] == ["n 1 False", "n 1 True"]


def test_cases_without_a_comparison_keep_their_order() -> None:
    cases = [fake_case(name) for name in "abc"]
    assert list(interleaved(cases)) == cases


@given(st.permutations([(t, m) for t in ("1", "2", "3") for m in (False, True)]))
def test_no_case_is_lost_or_doubled(points: list[tuple[str, bool]]) -> None:
    cases = [side(*point) for point in points]
    assert sorted(c.case_id for c in interleaved(cases)) == sorted(c.case_id for c in cases)
