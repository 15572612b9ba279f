"""How long a run will still take: what cases of a kind took so far, and their time budget where none was measured."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.records.case import Case


@dataclass
class Eta:
    """Learns from every case."""

    _took: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def learn(self, case: Case, took_ns: int) -> None:
        """A case is done."""
        self._took.setdefault(_kind(case), []).append(took_ns)

    def left_ns(self, cases: Iterable[Case]) -> int:
        """For all of `cases`, one after another."""
        return sum(self._expect(case) for case in cases)

    def _expect(self, case: Case) -> int:
        took = self._took.get(_kind(case))
        return sum(took) // len(took) if took else case.sampling.time_budget_ns


def _kind(case: Case) -> tuple[str, str]:
    return case.model.label, case.test.label
