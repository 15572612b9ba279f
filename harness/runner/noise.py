"""A thing compared with itself: what this machine adds to every comparison, and what an effect of one percent takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, log1p
from pathlib import Path

from harness.config.types import Expansion
from harness.errors import RunError
from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, StandIn, Test
from harness.records.record import Limits, Record
from harness.records.timing import Row
from harness.runner.ab import execute_ab
from harness.runner.order import groups
from harness.runner.progress import Progress
from harness.runner.rounds import BAD
from harness.stats.paired import compare
from harness.stats.power import FEWEST_PAIRS, MOST_PAIRS, pairs_to_confine, pairs_to_find

MODEL = ModelRef("tiny-gpt-oss", stand_in=StandIn("tiny-gpt-oss"))
TESTS = (Test("pp", 128), Test("tg", 0, 32))
"""Those of configs/smoke.yaml."""
EFFECT = log1p(0.01)
PAIRS = 20
AGAIN = "-again"


@dataclass(frozen=True)
class RowNoise:
    """`sd` of a pair's log ratio; the pairs that find one percent 19 of 20 times, and that confine SAME to ± 1 %."""

    test: str
    n_pairs: int
    n_disturbed: int
    sd: float
    pairs_to_find: int
    pairs_to_confine: int


def against_itself(cases: Sequence[Case]) -> tuple[Case, ...]:
    """The first side of every comparison twice; the second's id ends in AGAIN."""
    doubled: list[Case] = []
    for group in groups(cases):
        case = replace(group[0], comparison=f"itself:{group[0].case_id}")
        doubled += [case, replace(case, case_id=case.case_id + AGAIN)]
    return tuple(doubled)


def smoke_cases(budget_ns: int, device: str = "cpu:0") -> tuple[Case, ...]:
    """The tests of the smoke config, to be sampled PAIRS times within `budget_ns` each."""
    sampling = Sampling(precision=1e-6, time_budget_ns=budget_ns // 2, min_samples=PAIRS, max_samples=PAIRS + 10)
    return tuple(
        Case(f"noise-{test.label}", "noise", MODEL, Axes(device=device), test, sampling, f"itself:{test.label}")
        for test in TESTS
    )


def measure_noise(cases: Sequence[Case], results: Path, progress: Progress) -> tuple[tuple[RowNoise, ...], Limits]:
    """Compare `cases` with themselves below `results`; the machine's limits come with it. Errors: RunError."""
    expansion = Expansion("noise", against_itself(cases), (), "name: noise\n")
    outcome = execute_ab(expansion, results, ("harness", "doctor"), progress)
    if outcome.interrupted:
        raise KeyboardInterrupt
    for record in outcome.records:
        if record.status != "ok":
            raise RunError(record.error.message if record.error else f"{record.case.test.label}: {record.status}")
    found = [
        noise_of(a, b) for once, again in twins(outcome.records) for a, b in zip(once.rows, again.rows, strict=True)
    ]
    return tuple(found), outcome.records[0].limits


def twins(records: Sequence[Record]) -> tuple[tuple[Record, Record], ...]:
    """The two records of everything that was compared with itself."""
    by_id = {record.case.case_id: record for record in records}
    return tuple((record, by_id[other]) for name, record in by_id.items() if (other := name + AGAIN) in by_id)


def noise_of(once: Row, again: Row) -> RowNoise:
    """Of the pairs that were well; of all where fewer than three were."""
    pairs = list(zip(once.samples, again.samples, strict=True))
    well = [(a, b) for a, b in pairs if a.state == b.state == "ok"]
    disturbed = sum(a.state in BAD for a, _ in pairs)
    chosen = well if len(well) >= FEWEST_PAIRS else pairs
    result = compare([a.total_ns for a, _ in chosen], [b.total_ns for _, b in chosen])
    return RowNoise(
        test=once.test,
        n_pairs=len(chosen),
        n_disturbed=disturbed,
        sd=result.sd,
        pairs_to_find=pairs_to_find(EFFECT, result.sd) if isfinite(result.sd) else MOST_PAIRS,
        pairs_to_confine=pairs_to_confine(EFFECT, result.sd) if isfinite(result.sd) else MOST_PAIRS,
    )
