"""The core in live workers: merged and unmerged taking turns, with what a row costs and equal logits in the records."""

import pytest
from fake_cases import HASTE, Heard, expansion, fake_case

from harness.records.case import ModelRef, StandIn, Test
from harness.records.record import Limits, Record
from harness.runner import survey
from harness.runner.ab import execute_ab
from harness.runner.patience import S

MADE = ModelRef("tiny", stand_in=StandIn("tiny-qwen3moe", layers=2))


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, ...]:
    folder = tmp_path_factory.mktemp("core")
    cases = [
        fake_case(
            f"{test.label} {merge}",
            test=test,
            comparison=test.label,
            axes={"engine": "core", "device": "cpu:0", "threads": 1, "merge_up_gate": merge},
            model=MADE,
            time_budget_ns=S // 2,
            max_samples=8,
        )
        for test in (Test("sweep", 16, 2, (0, 16)), Test("load"))
        for merge in (False, True)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        patch.setattr(survey, "limits_of", lambda *_: Limits())
        return execute_ab(expansion(*cases), folder / "results", (), Heard(), patience=HASTE).records


def test_every_row_of_both_sides_has_the_same_rounds(records: tuple[Record, ...]) -> None:
    assert {record.case.case_id: record.error for record in records if record.status != "ok"} == {}
    for one, other in (records[:2], records[2:]):
        assert [row.test for row in one.rows] == [row.test for row in other.rows]
        for a, b in zip(one.rows, other.rows, strict=True):
            assert [sample.state for sample in a.samples] == [sample.state for sample in b.samples]
            assert len(a.samples) >= 2
    assert [row.test for row in records[0].rows] == ["tg2", "pp16", "tg2 @ d16", "pp16 @ d16"]


def test_the_merged_side_is_proven_equal_to_the_bit(records: tuple[Record, ...]) -> None:
    assert [record.equivalence.verdict for record in records] == ["not checked", "identical"] * 2


def test_a_row_knows_its_work_and_a_record_its_peak(records: tuple[Record, ...]) -> None:
    for record in records[:2]:
        assert all(row.macs_per_token and row.bytes_per_token for row in record.rows)
        assert record.rss_peak_bytes
        assert sum(map(sum, record.expert_counts)) > 0


def test_a_load_is_loaded_again_for_every_round(records: tuple[Record, ...]) -> None:
    for record in records[2:]:
        assert len(record.load_ns) >= len(record.rows[0].samples) >= 2
