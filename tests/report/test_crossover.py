"""Where merging begins to pay: only between points that were measured and are certain."""

import math
from dataclasses import replace

import made_runs as made
import pytest

from harness.records.axes import Axes
from harness.records.record import Record
from harness.report import numbers
from harness.report.charts import LineChart
from harness.report.effects import effect_over
from harness.report.sections.crossover import crossing, points, section
from harness.stats.paired import PairedResult

PP, TG = made.Test("pp", n_prompt=512), made.Test("tg", n_gen=32)


def result(ratio: float, half: float) -> PairedResult:
    return PairedResult(ratio, ratio - half, ratio + half, "CANNOT TELL", 9, 0)


def pair(ubatch: int, gain: float, n_expert: int = 32) -> tuple[Record, ...]:
    stand_in = replace(made.GPT_OSS.stand_in, n_expert=n_expert)  # type: ignore[type-var]
    model = replace(made.GPT_OSS, name=f"{n_expert}-experts", stand_in=stand_in)
    counts = ((4,) * n_expert,)
    return tuple(
        replace(
            made.record(test, Axes(merge_up_gate=merge, ubatch=ubatch), gain=gain if merge else 1.0, model=model),
            expert_counts=counts,
        )
        for test in (PP, TG)
        for merge in (False, True)
    )


def test_a_crossing_lies_between_two_points_that_are_certain() -> None:
    curve = {8: result(1.05, 0.01), 32: result(1.005, 0.01), 128: result(0.97, 0.01), 512: result(0.96, 0.01)}
    assert crossing(curve, "ubatch") == (
        "faster at ubatch 8; slower at ubatch 128, 512; not certainly either at ubatch 32; "
        "crosses 1 between ubatch 8 and 128"
    )


def test_where_the_sign_never_changes_for_certain_no_crossing_is_said() -> None:
    for curve in ({8: result(1.02, 0.01), 32: result(0.99, 0.02)}, {8: result(1.02, 0.01), 32: result(1.01, 0.001)}):
        assert crossing(curve, "ubatch").endswith("no crossing was measured")


def test_gains_stand_against_ubatch_and_against_experts() -> None:
    records = [r for n in (8, 32) for ubatch, gain in ((8, 1.3), (512, 0.8)) for r in pair(ubatch, gain, n)]
    found = section(records)
    assert found is not None
    by_ubatch, by_experts = found.blocks[0].charts  # type: ignore[union-attr]
    assert isinstance(by_ubatch, LineChart)
    assert by_ubatch.ticks == ("8", "512")
    assert [line.label for line in by_ubatch.lines] == ["8 experts", "32 experts"]
    assert [line.label for line in by_experts.lines] == ["ubatch 8", "ubatch 512"]
    assert by_experts.ticks == ("8", "32")
    assert by_ubatch.lines[0].y[0] == pytest.approx(30, abs=3)
    assert by_ubatch.lines[0].y[1] == pytest.approx(-20, abs=3)
    assert "8 experts: faster at ubatch 8; slower at ubatch 512; crosses 1 between ubatch 8 and 512." in str(found)
    assert len(points(records)) == 4, "prompts only"


def test_the_mean_over_all_points_is_said_even_where_none_of_them_is_certain() -> None:
    records = [r for ubatch in (8, 32, 128, 512) for r in pair(ubatch, 1.0)]
    result = effect_over([point.sides for point in points(records)])
    assert result.ratio == pytest.approx(math.exp(sum(math.log(p.result.ratio) for p in points(records)) / 4))
    found = section(records)
    told = f"pp512: over 4 points together, merging changes speed by {numbers.change(result.ratio)}"
    assert told in str(found)
    assert "At none of them alone is merging faster or slower for certain, so no crossing was measured." in str(found)


def test_one_ubatch_is_no_curve_and_one_side_no_point() -> None:
    assert section(pair(512, 1.1)) is None
    alone = [record for record in pair(8, 1.1) if record.case.axes.merge_up_gate]
    assert points(alone) == ()
    assert section([*pair(512, 1.1), *alone]) is None


def test_a_dense_model_has_no_experts_to_merge() -> None:
    records = [replace(r, expert_counts=()) for ubatch in (8, 512) for r in pair(ubatch, 1.1)]
    assert section(records) is None
