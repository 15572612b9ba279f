"""Cases in two builds of the harness, the baseline's and this one, whose live workers take turns.

What the machine's mood does, it does to both; what is left between them is what the commits in between did.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.config.types import Expansion
from harness.records.case import Case
from harness.records.record import Record
from harness.runner.ab import execute_contests
from harness.runner.contest import contests
from harness.runner.progress import Progress
from harness.runner.run import RunOutcome
from harness.runner.side import Side
from harness.runner.site import Site

THEIRS = "-baseline"


def in_both(cases: Sequence[Case], builds: Mapping[str, str]) -> tuple[Case, ...]:
    """Every case twice, the baseline's first: its id ends in THEIRS and its build is that of `builds`, by case id."""
    pairs = (
        (replace(case, case_id=case.case_id + THEIRS, build=builds[case.case_id]), case)
        for case in (replace(case, comparison=f"build:{case.case_id}") for case in cases)
    )
    return tuple(case for pair in pairs for case in pair)


def measure_in_both(
    expansion: Expansion, pythons: Mapping[str, str], results: Path, command: tuple[str, ...], progress: Progress
) -> RunOutcome:
    """A run of cases that are `in_both`. `pythons`: by commit, the Python that has its build. Errors: as `execute`."""

    def side(_site: Site, cases: tuple[Case, ...]) -> Side:
        build = cases[0].build
        return Side(cases, pythons[build]) if build else Side(cases)

    # Sides are told apart by variant, which knows no builds: cases of one baseline at a time.
    found = [contest for build in pythons for contest in contests(_beside(expansion.cases, build))]
    return execute_contests(expansion, found, results, command, progress, make_side=side)


def _beside(cases: Sequence[Case], build: str) -> list[Case]:
    compared = {case.comparison for case in cases if case.build == build}
    return [case for case in cases if case.comparison in compared]


def pairs_of_builds(records: Sequence[Record]) -> Iterator[tuple[Record, Record]]:
    """The records of both builds, the baseline's first, of every case that both have measured."""
    by_id = {record.case.case_id: record for record in records if record.status == "ok"}
    for name, ours in by_id.items():
        theirs = by_id.get(name + THEIRS)
        if theirs is not None and theirs.case.build:
            yield theirs, ours
