"""The order of a run's cases: the sides of a comparison together, its first side being the baseline."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from harness.records.axes import Axes
from harness.records.case import Case, ModelRef


@dataclass(frozen=True)
class Variant:
    """What computes the logits: a model at a point of the matrix, whatever the test."""

    model: ModelRef
    axes: Axes
    fake: str


def variant(case: Case) -> Variant:
    """The variant that `case` measures."""
    return Variant(case.model, case.axes, case.fake)


def company(wanted: Collection[str], cases: Sequence[Case]) -> tuple[Case, ...]:
    """The cases of those ids with all that they are compared with: measured again, a side needs its opponents."""
    return tuple(case for group in groups(cases) if any(c.case_id in wanted for c in group) for case in group)


def groups(cases: Sequence[Case]) -> tuple[tuple[Case, ...], ...]:
    """The comparisons in order of their first case; a case that is in none is a group of its own."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.comparison or f"alone {case.case_id}", []).append(case)
    return tuple(tuple(group) for group in found.values())
