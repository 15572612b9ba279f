"""The order of a run's cases: the sides of a comparison next to each other, A B then B A, so that drift cancels.

A comparison's first side is its baseline, and goes first the first time: the others' logits are compared with its.
"""

from collections.abc import Sequence
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


def interleaved(cases: Sequence[Case]) -> tuple[Case, ...]:
    """`cases` with those of one comparison together, every second group of the same baseline backwards."""
    ordered: list[Case] = []
    seen: dict[Variant, int] = {}
    for group in groups(cases):
        baseline = variant(group[0])
        seen[baseline] = seen.get(baseline, 0) + 1
        ordered += group if seen[baseline] % 2 else reversed(group)
    return tuple(ordered)


def groups(cases: Sequence[Case]) -> tuple[tuple[Case, ...], ...]:
    """The comparisons in order of their first case; a case that is in none is a group of its own."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.comparison or f"alone {case.case_id}", []).append(case)
    return tuple(tuple(group) for group in found.values())
