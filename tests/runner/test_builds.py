"""Cases in two builds, for real: real processes, the fake engine, and another Python for the other build."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_cases import Heard, expansion, fake_case

from harness.records.case import Test
from harness.runner.builds import THEIRS, in_both, measure_in_both, pairs_of_builds
from harness.runner.run import RunOutcome
from harness.stats.paired import compare
from harness.store.runs import read_run

OtherBuild = Callable[..., str]
OLD = "aaaaaaaaaaaa"
OLDER = "bbbbbbbbbbbb"


def measured(folder: Path, pythons: dict[str, str], builds: dict[str, str]) -> RunOutcome:
    cases = [
        fake_case(f"{test.label} {merged}", {"noise": 0.002}, test=test, axes={"merge_up_gate": merged}, processes=3)
        for test in (Test("pp", 8), Test("tg", 0, 4))
        for merged in (False, True)
    ]
    both = in_both(cases, {case.case_id: builds.get(case.case_id, OLD) for case in cases})
    return measure_in_both(expansion(*both), pythons, folder, ("harness", "gate"), Heard())


def ratio(outcome: RunOutcome, case_id: str) -> float:
    """Of this build's speed to the other's."""
    (found,) = [(a, b) for a, b in pairs_of_builds(outcome.records) if b.case.case_id == case_id]
    theirs, ours = ([sample.total_ns for sample in record.rows[0].samples] for record in found)
    return compare(theirs, ours).ratio


def test_what_the_other_build_takes_is_measured_beside_this_one(tmp_path: Path, other_build: OtherBuild) -> None:
    python = other_build(OLD, 0.95)
    outcome = measured(tmp_path / "results", {OLD: python}, {})
    assert [record.status for record in outcome.records] == ["ok"] * 8
    assert ratio(outcome, "pp8 False") == pytest.approx(0.95, rel=0.005)
    assert ratio(outcome, "tg4 True") == pytest.approx(0.95, rel=0.005)
    stored = read_run(outcome.run_dir).records
    assert {(r.case.case_id.endswith(THEIRS), r.case.build, r.harness_commit == OLD) for r in stored} == {
        (True, OLD, True),
        (False, "", False),
    }


def test_every_case_meets_the_build_that_it_is_held_against(tmp_path: Path, other_build: OtherBuild) -> None:
    pythons = {OLD: other_build(OLD, 0.95), OLDER: other_build(OLDER, 1.1)}
    outcome = measured(tmp_path / "results", pythons, {"pp8 True": OLDER})
    assert ratio(outcome, "pp8 True") == pytest.approx(1.1, rel=0.005)
    assert ratio(outcome, "tg4 True") == pytest.approx(0.95, rel=0.005)


def test_a_build_that_cannot_measure_leaves_no_pair(tmp_path: Path, other_build: OtherBuild) -> None:
    python = other_build(OLD, 1, more="sys.exit('of another time')")
    outcome = measured(tmp_path / "results", {OLD: python}, {})
    assert not list(pairs_of_builds(outcome.records))
    assert any(record.error and "of another time" in record.error.stderr_tail for record in outcome.records)


def test_workers_do_not_take_a_harness_that_lies_in_the_current_folder(
    tmp_path: Path, other_build: OtherBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text("raise SystemExit('the wrong harness')")
    monkeypatch.chdir(tmp_path)
    outcome = measured(tmp_path / "results", {OLD: other_build(OLD, 1)}, {})
    assert {record.status for record in outcome.records} == {"ok"}
