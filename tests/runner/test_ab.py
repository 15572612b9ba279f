"""Comparisons between live workers, for real: real processes, the fake engine."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_cases import HASTE, Heard, alive_with, expansion, fake_case

from harness.records.case import Case, ModelRef, Test
from harness.records.record import Record
from harness.report.duels import duels
from harness.runner import contest
from harness.runner.ab import execute_ab
from harness.runner.contest import contests, lacks_memory, turns
from harness.runner.run import RunOutcome
from harness.runner.side import Side
from harness.stats.paired import compare
from harness.store.runs import read_run

MERGED: dict[str, Any] = {"axis": "merge_up_gate", "value": True}


def sides(test: Test, script: dict[str, Any], values: tuple[Any, ...] = (False, True), **sampling: Any) -> list[Case]:
    axis = "merge_up_gate" if isinstance(values[0], bool) else "moe_path" if len(values) < 3 else "ubatch"
    return [
        fake_case(f"{test.label} {v}", script, test=test, comparison=test.label, axes={axis: v}, **sampling)
        for v in values
    ]


def go(results: Path, *cases: Case) -> tuple[RunOutcome, Heard]:
    heard = Heard()
    return execute_ab(expansion(*cases), results, ("harness", "ab", "x.yaml"), heard, patience=HASTE), heard


def times(record: Record, row: int = 0) -> list[int]:
    return [sample.total_ns for sample in record.rows[row].samples]


def test_a_slowdown_on_one_side_is_found_and_its_records_lie_in_the_run_folder(tmp_path: Path) -> None:
    script = {"noise": 0.002, "effects": [{**MERGED, "factor": 1.05}]}
    outcome, heard = go(tmp_path, *sides(Test("pp", 8), script))
    off, on = outcome.records
    assert (off.status, on.status) == ("ok", "ok")
    found = compare(times(off), times(on))
    assert found.verdict == "SLOWER"
    assert found.ratio == pytest.approx(1 / 1.05, rel=0.005)
    assert [record.case.case_id for record in heard.done] == [off.case.case_id, on.case.case_id]
    assert {record.case.case_id: record for record in read_run(outcome.run_dir).records} == {
        record.case.case_id: record for record in outcome.records
    }


def test_two_processes_take_turns_a_b_b_a(tmp_path: Path) -> None:
    script = {"clock": "real", "prefill_token_ns": 100_000}
    outcome, _ = go(tmp_path, *sides(Test("pp", 8), script, max_samples=8, precision=1e-9))
    begins = [[sample.start_ns for sample in record.rows[0].samples] for record in outcome.records]
    taken = [a < b for a, b in zip(*begins, strict=True)]
    assert taken == [index % 4 in (0, 3) for index in range(len(taken))]
    assert len(taken) >= 4, "even where a busy machine spoils every round"


def test_all_tests_of_two_variants_share_two_workers_and_deeper_rows_come_last(tmp_path: Path) -> None:
    script = {"noise": 0.001, "load_ns": 3_000_000}
    cases = [case for test in (Test("pp", 8, 0, (0, 64)), Test("tg", 0, 4, (0, 64))) for case in sides(test, script)]
    outcome, heard = go(tmp_path, *cases)
    assert heard.phases.count("load") == 2
    assert {record.status for record in outcome.records} == {"ok"}
    assert [[row.test for row in record.rows] for record in outcome.records] == [
        *[["pp8", "pp8 @ d64"]] * 2,
        *[["tg4", "tg4 @ d64"]] * 2,
    ]
    assert [turn.row.n_depth for turn in turns([cases[0], cases[2]])] == [0, 0, 64, 64]


def test_three_values_are_compared_in_one_go(tmp_path: Path) -> None:
    effects = [{"axis": "ubatch", "value": 64, "factor": 1.1}, {"axis": "ubatch", "value": 32, "factor": 1.2}]
    script = {"noise": 0.001, "effects": effects}
    outcome, _ = go(tmp_path, *sides(Test("pp", 8), script, (512, 64, 32)))
    base, small, smaller = outcome.records
    assert compare(times(base), times(small)).ratio == pytest.approx(1 / 1.1, rel=0.01)
    assert compare(times(base), times(smaller)).ratio == pytest.approx(1 / 1.2, rel=0.01)
    assert len({len(times(record)) for record in outcome.records}) == 1


def test_a_fast_and_wrong_side_is_not_timed(tmp_path: Path) -> None:
    script = {"effects": [{**MERGED, "factor": 0.5, "logits": "wrong"}]}
    off, on = go(tmp_path, *sides(Test("pp", 8), script))[0].records
    assert (on.status, on.equivalence.verdict, on.rows) == ("invalid", "INVALID", ())
    assert off.status == "skipped"
    assert off.error is not None
    assert "wrong" in off.error.message


def test_a_side_that_dies_costs_itself_and_the_others_go_on(tmp_path: Path) -> None:
    dying = {"noise": 0.001, "faults": [{"kind": "segv", "at": "prefill", "call": 3}]}
    cases = sides(Test("pp", 8), {"noise": 0.001}, (512, 64, 32))
    broken = fake_case("dying", dying, test=Test("pp", 8), comparison="pp8", axes={"ubatch": 16})
    outcome, _ = go(tmp_path, *cases[:2], broken, cases[2])
    assert [record.status for record in outcome.records] == ["ok", "ok", "crashed", "ok"]
    assert len(outcome.records[2].rows[0].samples) == 3, "what arrived before the crash is kept"


def test_without_its_baseline_a_comparison_ends_and_says_why(tmp_path: Path) -> None:
    script = {"faults": [{"kind": "error", "at": "prefill", "call": 1}]}
    dying, well = (
        fake_case(name, made, test=Test("pp", 8), comparison="x", axes={"ubatch": n})
        for name, made, n in (("first", script, 512), ("second", {}, 64))
    )
    first, second = go(tmp_path, dying, well)[0].records
    assert (first.status, second.status) == ("failed", "skipped")
    assert second.error is not None
    assert "the script wants this case to fail" in second.error.message


def test_a_disturbed_pair_is_retaken_and_kept(tmp_path: Path) -> None:
    script = {"noise": 0.0005, "contended": [1, 2]}
    off, on = go(tmp_path, *sides(Test("pp", 8), script))[0].records
    states = [[sample.state for sample in record.rows[0].samples] for record in (off, on)]
    assert states[0] == states[1]
    assert states[0].count("contended") == 2
    assert states[0].count("ok") >= 6


def test_loading_is_compared_as_well(tmp_path: Path) -> None:
    script = {"load_ns": 4_000_000, "effects": []}
    off, on = go(tmp_path, *sides(Test("load"), script))[0].records
    assert (off.status, on.status) == ("ok", "ok")
    assert times(off)[0] == 4_000_000
    assert off.rows[0].test == "load"


def test_ctrl_c_keeps_what_was_compared_and_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_TEST_MARK", str(tmp_path))

    class Impatient(Heard):
        def sample(self, *arguments: Any) -> None:
            super().sample(*arguments)
            if len(self.samples) == 30:
                running.interrupt.press()

    running: Any = None
    original = contest.Contest.run

    def run(self: contest.Contest) -> None:
        nonlocal running
        running = self.site
        original(self)

    monkeypatch.setattr(contest.Contest, "run", run)
    cases = [case for n in (8, 9) for case in sides(Test("pp", n), {"noise": 0.001}, max_samples=10, precision=1e-9)]
    outcome = execute_ab(expansion(*cases), tmp_path, ("x",), Impatient(), patience=HASTE)
    assert outcome.interrupted
    assert [record.status for record in outcome.records] == ["ok", "ok", "interrupted", "interrupted"]
    assert alive_with("HARNESS_TEST_MARK", str(tmp_path)) == []


def test_what_has_no_opponent_is_in_no_contest() -> None:
    alone = fake_case("alone")
    assert contests([alone, *sides(Test("pp", 8), {})]) == ((*((case,) for case in sides(Test("pp", 8), {})),),)


def test_sides_that_do_not_fit_together_are_refused_with_the_numbers(tmp_path: Path) -> None:
    meminfo, model = tmp_path / "meminfo", tmp_path / "m.gguf"
    meminfo.write_text("MemTotal: 9999999 kB\nMemAvailable: 1048577 kB\n")
    model.write_bytes(b"x" * 2048)
    case = fake_case("a", model=ModelRef("m", path=str(model)))
    refused = lacks_memory((Side((case,)), Side((case,))), meminfo)
    assert refused is not None
    assert "2 live workers need 1024 MiB" in refused.message
    assert lacks_memory((Side((case,)),), meminfo) is not None
    meminfo.write_text("MemAvailable: 1148577 kB\n")
    assert lacks_memory((Side((case,)), Side((case,))), meminfo) is None


def test_every_sitting_has_fresh_processes_which_share_the_samples(tmp_path: Path) -> None:
    script = {"noise": 0.002, "process_noise": 0.01, "load_ns": 3_000_000}
    cases = sides(Test("pp", 8), script, processes=4, max_samples=24, precision=1e-9)
    outcome, heard = go(tmp_path, *cases)
    off, on = outcome.records
    assert heard.phases.count("load") == 8
    assert len(off.load_ns) == len(on.load_ns) == 4
    for record in (off, on):
        assert [sample.process for sample in record.rows[0].samples] == [0] * 6 + [1] * 6 + [2] * 6 + [3] * 6
    means = [sum(times(on)[at : at + 6]) for at in range(0, 24, 6)]
    assert max(means) / min(means) > 1.003, "a fresh process is another one"
    (duel,) = duels(outcome.records)
    assert duel.result is not None
    assert (duel.result.n_processes, duel.result.n_pairs) == (4, 24)


def test_who_starts_first_changes_from_sitting_to_sitting(tmp_path: Path) -> None:
    _, heard = go(tmp_path, *sides(Test("pp", 8), {}, processes=3))
    names = [name.split()[-1] for name in heard.started]
    assert names == ["False", "True", "True", "False", "False", "True"]


def test_a_side_that_dies_in_a_later_sitting_stays_out_and_keeps_what_it_had(tmp_path: Path) -> None:
    dying = {"faults": [{"kind": "segv", "at": "prefill", "call": 8}]}
    cases = sides(Test("pp", 8), {"noise": 0.001}, (512, 64, 32), processes=2, max_samples=12, precision=1e-9)
    broken = fake_case("dying", dying, test=Test("pp", 8), comparison="pp8", axes={"ubatch": 16})
    broken = replace(broken, sampling=cases[0].sampling)
    outcome, heard = go(tmp_path, *cases[:2], broken, cases[2])
    assert [record.status for record in outcome.records] == ["ok", "ok", "ok", "ok"]
    longer = fake_case("dying", {"faults": [{"kind": "segv", "at": "prefill", "call": 3}]}, comparison="pp8")
    longer = replace(broken, fake=longer.fake)
    outcome, heard = go(tmp_path, *cases[:2], longer, cases[2])
    assert [record.status for record in outcome.records] == ["ok", "ok", "crashed", "ok"]
    assert heard.started.count("dying") == 1
