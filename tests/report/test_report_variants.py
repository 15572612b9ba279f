"""Which cases stand beside each other, and in which colour."""

from dataclasses import replace

import made_runs as made

from harness.records.axes import Axes
from harness.records.record import Record
from harness.report.variants import groups

PP = made.Test("pp", n_prompt=512)


def with_axes(**axes: object) -> Record:
    """A record that is in no comparison."""
    record = made.record(PP, Axes(**axes))  # type: ignore[arg-type]
    return replace(record, case=replace(record.case, comparison=""))


def test_the_base_of_a_comparison_has_the_first_colour_even_if_it_came_second() -> None:
    (group,) = groups([with_axes(merge_up_gate=True), with_axes(merge_up_gate=False)])
    assert [(v.label, v.index) for v in group.variants] == [("merge off", 0), ("merge on", 1)]
    assert [pair.label for pair in group.pairs] == ["merge on / off"]


def test_a_variant_keeps_its_colour_in_every_group() -> None:
    other = replace(made.GPT_OSS, name="qwen3")
    records = [*made.pair(tests=(PP,)), made.record(PP, Axes(merge_up_gate=True), model=other)]
    first, second = groups(records)
    assert {v.label: v.index for v in first.variants} == {"merge off": 0, "merge on": 1}
    assert {v.label: v.index for v in second.variants} == {"merge on": 1}
    assert second.pairs == ()


def test_the_pair_nearest_to_the_defaults_comes_first() -> None:
    (group,) = groups(made.four_cells(tests=(PP,)))
    assert [pair.setting for pair in group.pairs] == ["fuse on", "fuse off"]
    assert {(p.base.value("fused_moe"), p.other.value("fused_moe")) for p in group.pairs} == {
        ("on", "on"),
        ("off", "off"),
    }


def test_devices_make_groups_unless_nothing_else_varies() -> None:
    both = [with_axes(device=d, merge_up_gate=m) for d in ("cpu:0", "cuda:0") for m in (False, True)]
    assert [group.setting for group in groups(both)] == ["cpu:0", "cuda:0"]
    (alone,) = groups([with_axes(device="cpu:0"), with_axes(device="cuda:0")])
    assert [v.label for v in alone.variants] == ["cpu:0", "cuda:0"]


def test_the_axis_under_comparison_leads_whatever_else_varies() -> None:
    def compared(device: str, muge: bool) -> Record:
        record = with_axes(device=device, merge_up_gate=muge)
        return replace(record, case=replace(record.case, comparison=f"muge {muge}"))

    found = groups([compared(d, m) for m in (False, True) for d in ("cpu:0", "cuda:0")])
    assert [(g.axis, [p.label for p in g.pairs]) for g in found] == [
        ("device", ["cuda:0 / cpu:0, merge off", "cuda:0 / cpu:0, merge on"])
    ]


def test_more_variants_than_colours_are_split_into_groups() -> None:
    records = [
        replace(with_axes(merge_up_gate=m, fused_moe=f, threads=t))
        for m in (False, True)
        for f in (False, True)
        for t in (1, 2, 3)
    ]
    found = groups(records)
    assert [group.setting for group in found] == ["threads 1", "threads 2", "threads 3"]
    assert all(len(group.variants) == 4 for group in found)


def test_imported_records_are_in_no_group() -> None:
    own, foreign = made.pair(tests=(PP,))
    (group,) = groups([own, made.imported(foreign)])
    assert [len(records) for records in group.records] == [1]


def test_runs_are_variants_when_two_are_compared() -> None:
    a, b = with_axes(), replace(with_axes(), run="2026-03-06T21-14-08_gptoss-muge")
    (group,) = groups(
        [replace(a, case=replace(a.case, comparison="")), replace(b, case=replace(b.case, comparison=""))]
    )
    assert group.axis == "run"
