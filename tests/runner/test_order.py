"""Comparisons: which cases are measured beside each other, and which goes first."""

from fake_cases import fake_case
from hypothesis import given
from hypothesis import strategies as st

from harness.records.case import Case, Test
from harness.runner.order import groups


def side(test: str, merge: bool) -> Case:
    return fake_case(f"{test} {merge}", test=Test("pp", int(test)), comparison=test, axes={"merge_up_gate": merge})


def test_sides_of_a_comparison_stand_together_the_first_of_them_in_front() -> None:
    cases = [side(test, merge) for merge in (False, True) for test in ("1", "2")]
    assert [[case.case_id for case in group] for group in groups(cases)] == [
        ["1 False", "1 True"],
        ["2 False", "2 True"],
    ]


def test_cases_without_a_comparison_are_alone_and_keep_their_order() -> None:
    cases = [fake_case(name) for name in "abc"]
    assert groups(cases) == tuple((case,) for case in cases)


@given(st.permutations([(t, m) for t in ("1", "2", "3") for m in (False, True)]))
def test_no_case_is_lost_or_doubled(points: list[tuple[str, bool]]) -> None:
    cases = [side(*point) for point in points]
    assert sorted(c.case_id for group in groups(cases) for c in group) == sorted(c.case_id for c in cases)
