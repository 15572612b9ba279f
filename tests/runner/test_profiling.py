"""A profile: cells of merge, fuse and path take turns, and what operations take lies beside their records."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_cases import HASTE, Heard, expansion, fake_case

from harness.records.case import Case, ModelRef, StandIn, Test
from harness.records.profile import PROFILE_SCHEMA, CaseProfile, OpTime
from harness.records.record import Limits
from harness.records.timing import Sample
from harness.runner import survey
from harness.runner.measure import Measurement
from harness.runner.patience import S
from harness.runner.profiling import cells, execute_profile, row_profile
from harness.runner.run import RunOutcome
from harness.store.runs import read_run

TINY = ModelRef("tiny", stand_in=StandIn("tiny-gpt-oss", layers=2))
MACS_OF_A_TOKEN = 3 * 2 * 160 * 288
"""Three experts, gate and up, 160 rows of 288."""


def case(merge: bool, fuse: bool, path: str = "grouped", test: Test | None = None, **axes: object) -> Case:
    test = test or Test("pp", 16)
    return fake_case(
        f"{test.label} {merge} {fuse} {path} {axes}",
        test=test,
        comparison=f"{test.label} {fuse} {path} {axes}",
        axes={"merge_up_gate": merge, "fused_moe": fuse, "moe_path": path, **axes},
        model=TINY,
        time_budget_ns=S // 4,
        max_samples=8,
    )


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> RunOutcome:
    folder = tmp_path_factory.mktemp("profile")
    core = {"engine": "core", "device": "cpu:0", "threads": 1}
    four = [case(merge, fuse, **core) for fuse in (False, True) for merge in (False, True)]
    load = case(False, True, test=Test("load"), **core)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        patch.setattr(survey, "limits_of", lambda *_: Limits())
        return execute_profile(expansion(*four, load), folder / "results", (), Heard(), patience=HASTE)


@pytest.fixture(scope="module")
def profiles(outcome: RunOutcome) -> tuple[CaseProfile, ...]:
    return read_run(outcome.run_dir).profiles


def test_profiles_lie_beside_their_records_and_loading_has_none(
    outcome: RunOutcome, profiles: tuple[CaseProfile, ...]
) -> None:
    assert {record.status for record in outcome.records} == {"ok"}
    assert [profile.case for profile in profiles] == [record.case for record in outcome.records]
    assert len(profiles) == 4
    assert {profile.schema for profile in profiles} == {PROFILE_SCHEMA}
    assert [record.equivalence.verdict for record in outcome.records] == ["not checked", "identical"] * 2


def test_cells_took_turns_and_have_the_same_rounds(outcome: RunOutcome, profiles: tuple[CaseProfile, ...]) -> None:
    starts = [[sample.start_ns for sample in record.rows[0].samples] for record in outcome.records]
    assert max(times[0] for times in starts) < min(times[1] for times in starts)
    assert len({profile.rows[0].n_runs for profile in profiles}) == 1
    for profile in profiles:
        (row,) = profile.rows
        assert len(row.plain_runs_ns) == row.n_runs
        assert all(len(op.runs_ns) == row.n_runs and min(op.runs_ns) > 0 for op in row.ops)


def test_counts_of_the_cells_are_those_counted_by_hand(profiles: tuple[CaseProfile, ...]) -> None:
    """The last layer's experts see the last token alone."""
    found = {}
    for profile in profiles:
        ops = [op for op in profile.rows[0].ops if op.name == "moe_up_gate"]
        assert [op.macs for op in ops] == [16 * MACS_OF_A_TOKEN, MACS_OF_A_TOKEN]
        axes = profile.case.axes
        found[axes.merge_up_gate, axes.fused_moe] = sum(op.launches for op in ops)
    assert found == {(False, False): 6, (True, False): 4, (False, True): 2, (True, True): 2}
    one_expert = 2 * 160 * (288 // 32 * 17 + 4)
    for profile in profiles:
        last = next(op for op in reversed(profile.rows[0].ops) if op.name == "moe_up_gate")
        assert last.bytes == pytest.approx(3 * one_expert)


def test_cases_that_differ_in_merge_fuse_and_path_alone_are_one_contest() -> None:
    square = [case(merge, fuse, path) for merge in (0, 1) for fuse in (0, 1) for path in ("grouped", "per_expert")]
    tg = [case(merge, True, test=Test("tg", 0, 4)) for merge in (0, 1)]
    small = [case(True, True, ubatch=8)]
    loads = [case(False, False, test=Test("load"))]
    found = cells([*square, *small, *loads])
    assert [len(sides) for sides in found] == [8, 1]
    assert all(len(tests) == 1 for sides in found for tests in sides)
    with_tg = cells([*square, *tg])
    assert sorted(len(sides) for sides in with_tg) == [2, 6], "only cells with the same tests take turns"
    assert all(len(tests) == 2 for tests in min(with_tg, key=len))


def sample(state: str, total_ns: int) -> tuple[Sample, tuple[OpTime, ...]]:
    return Sample(0, total_ns, 16, state), (OpTime("qkv", 0, 1, total_ns // 2, 0, 0),)  # type: ignore[arg-type]


def test_warm_up_and_disturbed_rounds_do_not_count() -> None:
    states = ("warmup", "ok", "contended", "ok", "ok")
    found = row_profile(Measurement(16, 0, 0), [sample(s, 100 + 10 * n) for n, s in enumerate(states)])
    assert (found.test, found.n_runs, found.plain_runs_ns) == ("pp16", 3, (110, 130, 140))
    assert (found.ops[0].runs_ns, found.ops[0].ns, found.disturbed) == ((55, 65, 70), 65, False)


def test_where_hardly_a_round_was_calm_all_but_the_first_count_and_that_is_said() -> None:
    states = ("ok", "contended", "contended", "ok")
    found = row_profile(Measurement(16, 0, 0), [sample(s, 100 + 10 * n) for n, s in enumerate(states)])
    assert (found.plain_runs_ns, found.disturbed) == ((110, 120, 130), True)


def test_an_engine_that_cannot_time_operations_fails_with_that_sentence(tmp_path: Path) -> None:
    made = replace(case(False, True), model=ModelRef("made"))
    (record,) = execute_profile(expansion(made), tmp_path, (), Heard(), patience=HASTE).records
    assert (record.status, record.error.message if record.error else "") == (
        "failed",
        "engine fake does not tell the times of its operations; the core does.",
    )
