"""Runs from expansion to records: real workers, the fake engine."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import instant
import pytest
from fake_cases import HASTE, Heard, comparable, expansion, fake_case

from harness.config.types import Expansion
from harness.errors import RunError
from harness.records.case import Case, ModelRef, Test
from harness.records.record import Failure, Record
from harness.runner import contest, sequence
from harness.runner.run import RunOutcome, execute
from harness.store.files import locked
from harness.store.runs import LOCK, read_run, record_path

MERGE: dict[str, Any] = {"axis": "merge_up_gate", "value": True}


def run(made: Expansion, results: Path, resume: str | None = None) -> tuple[RunOutcome, Heard]:
    heard = Heard()
    return execute(made, results, resume, ("harness", "run", "x.yaml"), heard, patience=HASTE), heard


def pair(test: int, script: dict[str, Any]) -> list[Case]:
    return [
        fake_case(
            f"{test} {merge}",
            script,
            test=Test("pp", test),
            comparison=f"merge {test}",
            axes={"merge_up_gate": merge},
        )
        for merge in (False, True)
    ]


def by_id(outcome: RunOutcome) -> dict[str, Record]:
    return {record.case.case_id: record for record in outcome.records}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunOutcome, Heard]:
    cases = (
        fake_case("good", {"noise": 0.002, "prefill_token_ns": 1000}, test=Test("sweep", 16, 4, (0, 8))),
        fake_case("crash", {"faults": [{"kind": "segv"}]}),
        fake_case("load", {"load_ns": 3_000_000}, test=Test("load")),
        fake_case("after", {"prefill_token_ns": 2000}),
    )
    return run(expansion(*cases), tmp_path_factory.mktemp("results"))


def test_a_crash_costs_its_case_alone(mixed: tuple[RunOutcome, Heard]) -> None:
    outcome, _ = mixed
    assert [record.status for record in outcome.records] == ["ok", "crashed", "ok", "ok"]
    assert not outcome.interrupted


def test_records_are_on_disk_as_they_are_returned(mixed: tuple[RunOutcome, Heard]) -> None:
    outcome, heard = mixed
    assert read_run(outcome.run_dir).records == outcome.records
    assert sorted(r.case.case_id for r in heard.done) == sorted(r.case.case_id for r in outcome.records)


def test_what_was_scripted_is_what_was_measured(mixed: tuple[RunOutcome, Heard]) -> None:
    records = by_id(mixed[0])
    assert [row.test for row in records["good"].rows] == ["tg4", "pp16", "tg4 @ d8", "pp16 @ d8"]
    assert records["after"].rows[0].counted[0].total_ns == 16 * 2000
    assert records["after"].ttft_ns == 16 * 2000
    assert set(records["load"].load_ns) == {3_000_000}
    assert records["good"].rss_peak_bytes is not None
    assert records["good"].expert_counts


def test_a_record_says_where_it_was_made(mixed: tuple[RunOutcome, Heard]) -> None:
    outcome, _ = mixed
    for record in outcome.records:
        assert record.run == outcome.run_dir.name
        assert record.fingerprint.n_cores > 0
        assert record.resume_key
    assert by_id(outcome)["good"].build_commit == "fake, virtual clock"


def test_progress_hears_every_sample_and_an_eta(mixed: tuple[RunOutcome, Heard]) -> None:
    outcome, heard = mixed
    assert heard.started == ["good", "crash", "load", "after"]
    assert heard.etas[0] is not None
    assert len(heard.samples) == sum(len(row.samples) for record in outcome.records for row in record.rows)


def test_run_json_holds_what_was_asked(mixed: tuple[RunOutcome, Heard]) -> None:
    info = json.loads((mixed[0].run_dir / "run.json").read_text())
    assert info["config_text"] == "name: made\n"
    assert info["command"] == ["harness", "run", "x.yaml"]
    assert [case["case_id"] for case in info["cases"]] == ["good", "crash", "load", "after"]


def test_sides_that_agree_are_timed_and_said_to_agree(tmp_path: Path) -> None:
    outcome, heard = run(expansion(*pair(16, {}), *pair(32, {})), tmp_path)
    records = by_id(outcome)
    assert heard.started == ["16 False", "16 True"], "the tests of two variants share their workers"
    for test in ("16", "32"):
        assert records[f"{test} True"].equivalence.verdict == "identical"
        assert records[f"{test} True"].equivalence.against == f"{test} False"
    assert heard.phases.count("equivalence") == 2
    assert not (outcome.run_dir / ".logits").exists()


def test_fast_and_wrong_is_invalid_for_every_test_and_has_no_speed(tmp_path: Path) -> None:
    script = {"effects": [{**MERGE, "factor": 0.5, "logits": "wrong"}]}
    outcome, heard = run(expansion(*pair(16, script), *pair(32, script)), tmp_path)
    for record in outcome.records:
        assert record.status == ("invalid" if record.case.axes.merge_up_gate else "ok")
        assert bool(record.rows) is not record.case.axes.merge_up_gate
    assert heard.phases.count("equivalence") == 2


@pytest.mark.parametrize(("logits", "verdict"), [("close", "close"), ("nan", "INVALID")])
def test_near_is_close_and_nan_is_invalid(tmp_path: Path, logits: str, verdict: str) -> None:
    outcome, _ = run(expansion(*pair(16, {"effects": [{**MERGE, "logits": logits}]})), tmp_path)
    assert outcome.records[1].equivalence.verdict == verdict


def test_an_axis_that_may_change_results_is_not_checked(tmp_path: Path) -> None:
    cases = [fake_case(kv, {}, comparison="kv", axes={"type_k": kv}) for kv in ("f16", "q8_0")]
    outcome, heard = run(expansion(*cases), tmp_path)
    assert outcome.records[1].equivalence.verdict == "not checked"
    assert "type_k" in outcome.records[1].equivalence.note
    assert "equivalence" not in heard.phases


def test_a_baseline_that_crashed_leaves_its_partner_unchecked_but_measured(tmp_path: Path) -> None:
    off, on = pair(16, {})
    off = fake_case("16 False", {"faults": [{"kind": "segv", "at": "load"}]}, comparison="merge 16")
    outcome, _ = run(expansion(off, on), tmp_path)
    assert [record.status for record in outcome.records] == ["crashed", "ok"]
    assert "no logits" in outcome.records[1].equivalence.note


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence, "supervise", instant.supervise)


@pytest.mark.usefixtures("_at_once")
def test_resume_measures_only_what_is_missing(tmp_path: Path) -> None:
    made = expansion(*(fake_case(name) for name in "abc"))
    first, _ = run(made, tmp_path)
    record_path(first.run_dir, "b").unlink()
    again, heard = run(made, tmp_path, first.run_dir.name)
    assert (heard.n_done_before, heard.started) == (2, ["b"])
    assert comparable(again.records) == comparable(first.records)


@pytest.mark.usefixtures("_at_once")
def test_resume_measures_anew_what_changed(tmp_path: Path) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"one")
    made = expansion(fake_case("a"), fake_case("b", model=ModelRef("m", str(model))))
    first, _ = run(made, tmp_path)
    model.write_bytes(b"two")
    _, heard = run(made, tmp_path, first.run_dir.name)
    assert heard.started == ["b"]
    assert any("b: engine, model file or settings changed" in note for note in heard.notes)


@pytest.mark.usefixtures("_at_once")
def test_resume_measures_anew_what_cannot_be_read(tmp_path: Path) -> None:
    made = expansion(fake_case("a"), fake_case("b"))
    first, _ = run(made, tmp_path)
    record_path(first.run_dir, "a").write_text("{")
    again, heard = run(made, tmp_path, first.run_dir.name)
    assert heard.started == ["a"]
    assert [record.status for record in again.records] == ["ok", "ok"]


@pytest.mark.usefixtures("_at_once")
def test_resume_refuses_a_config_that_has_changed(tmp_path: Path) -> None:
    first, _ = run(expansion(fake_case("a")), tmp_path)
    with pytest.raises(RunError, match="other cases since this run began"):
        run(expansion(fake_case("b")), tmp_path, first.run_dir.name)


@pytest.mark.usefixtures("_at_once")
def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    first, _ = run(expansion(fake_case("a")), tmp_path)
    with locked(first.run_dir / LOCK, ""), pytest.raises(RunError, match="another process writes this run"):
        run(expansion(fake_case("a")), tmp_path, first.run_dir.name)


def test_a_device_whose_worker_cannot_be_killed_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.runner.supervise import End

    def unkillable(*_: object) -> End:
        return End("unkillable", None, "pp16", "stuck in pp16", "")

    monkeypatch.setattr(sequence, "supervise", unkillable)
    cases = [fake_case(f"{device} {n}", axes={"device": device}) for device in ("cuda:0", "cpu:0") for n in (1, 2)]
    outcome, _ = run(expansion(*cases), tmp_path)
    assert [record.status for record in outcome.records] == ["timeout", "skipped"] * 2
    error = outcome.records[1].error
    assert error is not None
    assert "cuda:0 was given up" in error.message


def test_cases_of_one_comparison_take_turns(tmp_path: Path) -> None:
    cases = [replace(case, sampling=replace(case.sampling, processes=2)) for case in pair(16, {"clock": "real"})]
    outcome, heard = run(expansion(*cases, fake_case("alone")), tmp_path)
    off, on, alone = (record.rows[0].samples for record in outcome.records)
    assert off[0].start_ns < on[-1].start_ns
    assert on[0].start_ns < off[-1].start_ns
    assert {sample.process for sample in off} == {0, 1}
    assert {sample.process for sample in alone} == {0}
    assert heard.started == ["16 False", "16 True", "16 True", "16 False", "alone"]


@pytest.mark.parametrize("at", ["load", "prefill"])
def test_a_case_whose_opponent_died_is_measured_alone(tmp_path: Path, at: str) -> None:
    off, on = pair(16, {"load_ns": 4_000_000})
    on = replace(on, fake=json.dumps({"faults": [{"kind": "segv", "at": at}]}))
    outcome, heard = run(expansion(off, on), tmp_path)
    assert [record.status for record in outcome.records] == ["ok", "crashed"]
    assert [record.case.case_id for record in heard.done].count("16 False") == 1


def test_sides_that_have_no_room_beside_each_other_are_measured_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contest, "lacks_memory", lambda _sides: Failure("RunError", "too large", "load"))
    outcome, _ = run(expansion(*pair(16, {"clock": "real"})), tmp_path)
    off, on = outcome.records
    assert (off.status, on.status, on.equivalence.verdict) == ("ok", "ok", "identical")
    assert off.rows[0].samples[-1].start_ns < on.rows[0].samples[0].start_ns


@pytest.mark.parametrize(
    ("kind", "at", "status"), [("error", "load", "failed"), ("oom", "load", "oom"), ("oom", "prefill", "oom")]
)
def test_a_side_that_may_have_lacked_room_beside_another_is_tried_alone(
    tmp_path: Path, kind: str, at: str, status: str
) -> None:
    off, on = pair(16, {})
    on = replace(on, fake=json.dumps({"faults": [{"kind": kind, "at": at}]}))
    outcome, heard = run(expansion(off, on), tmp_path)
    assert [record.status for record in outcome.records] == ["ok", status]
    assert heard.started.count("16 True") == 2
    assert [record.case.case_id for record in heard.done].count("16 True") == 1


def test_a_side_that_dies_in_one_test_costs_that_case_and_its_other_tests_are_measured(tmp_path: Path) -> None:
    dying = {"faults": [{"kind": "segv", "at": "decode", "call": 2}]}
    cases = [
        replace(case, comparison=f"merge {test.label}", test=test, case_id=f"{test.label} {case.axes.merge_up_gate}")
        for test in (Test("pp", 16), Test("tg", 0, 4), Test("pp", 32))
        for case in pair(16, {"noise": 0.001})
    ]
    cases = [replace(c, fake=json.dumps(dying)) if c.axes.merge_up_gate else c for c in cases]
    outcome, _ = run(expansion(*cases), tmp_path)
    found = {record.case.case_id: record.status for record in outcome.records}
    assert found.pop("tg4 True") == "crashed"
    assert set(found.values()) == {"ok"}
