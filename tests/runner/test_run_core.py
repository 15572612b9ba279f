"""A whole run of the core on a made model: file made, merged and unmerged proven equal, every kind of test measured."""

from pathlib import Path
from typing import Any

import pytest
from fake_cases import HASTE, Heard, expansion, fake_case

from harness.records.case import Case, ModelRef, StandIn, Test
from harness.records.record import Record
from harness.runner import run
from harness.runner.patience import S
from harness.runner.run import execute
from harness.store.frame import frame

MADE = ModelRef("tiny", stand_in=StandIn("tiny-gpt-oss"))
TESTS = {
    "sweep": Test("sweep", 16, 2, (0, 16)),
    "pg": Test("pg", 16, 2),
    "load": Test("load"),
}


def case(name: str, merge: bool, **axes: object) -> Case:
    """A load may last as long as a busy machine lets it: three of them end its row, not the clock."""
    enough: dict[str, Any] = {"max_samples": 3} if name == "load" else {}
    return fake_case(
        f"{name} {merge}",
        test=TESTS[name],
        comparison=name,
        axes={"engine": "core", "device": "reference-q8", "merge_up_gate": merge, **axes},
        model=MADE,
        time_budget_ns=60 * S if name == "load" else S // 2,
        **enough,
    )


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    folder = tmp_path_factory.mktemp("core")
    cases = [case(name, merge) for name in TESTS for merge in (False, True)]
    cases.append(case("load", merge=True, cache="cold", tokens="text"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        patch.setattr(run, "surveyed", lambda info, *_: info)  # five seconds of full load that prove nothing here
        outcome = execute(expansion(*cases[:6]), folder / "results", None, (), Heard(), patience=HASTE)
        cold = execute(expansion(cases[6]), folder / "results", None, (), Heard(), patience=HASTE)
    return {r.case.case_id: r for r in outcome.records} | {"cold": cold.records[0]}


def test_every_case_is_measured(records: dict[str, Record]) -> None:
    assert {name: record.error for name, record in records.items() if record.status != "ok"} == {}
    assert [row.test for row in records["sweep True"].rows] == ["tg2", "pp16", "tg2 @ d16", "pp16 @ d16"]
    assert all(row.counted or row.samples for record in records.values() for row in record.rows)


def test_merged_and_unmerged_logits_are_the_same_bits(records: dict[str, Record]) -> None:
    for name in TESTS:
        assert records[f"{name} True"].equivalence.verdict == "identical"


def test_a_row_knows_its_work_and_a_record_its_plan(records: dict[str, Record]) -> None:
    record = records["sweep True"]
    assert all(row.macs_per_token and row.bytes_per_token for row in record.rows)
    assert record.load is not None
    merges = {merge["kind"]: merge["done"] for merge in record.load.plan["merges"]}  # type: ignore[attr-defined]
    assert merges["up_gate"] is True
    assert record.load.model_size == records["sweep False"].load.model_size  # type: ignore[union-attr]
    assert sum(map(sum, record.expert_counts)) > 0
    assert record.ttft_ns


def test_a_load_is_measured_several_times_warm_and_cold(records: dict[str, Record]) -> None:
    for name in ("load False", "load True", "cold"):
        assert len(records[name].rows[0].samples) > 1
    assert len(records["cold"].load_ns) == len(records["cold"].rows[0].samples)
    for name in ("load False", "load True"):
        assert len(records[name].load_ns) == len(records[name].rows[0].samples) + 1, "sides that take turns load first"


def test_the_file_is_made_once_and_named_in_every_record(records: dict[str, Record]) -> None:
    paths = {record.case.model.path for record in records.values()}
    assert len(paths) == 1
    assert Path(str(paths.pop())).name.startswith("tiny-gpt-oss-")


def test_the_table_calls_it_a_stand_in(records: dict[str, Record]) -> None:
    table = frame(records.values())
    assert table.stand_in.all()
    assert table.model.str.contains("stand-in: tiny-gpt-oss").all()
