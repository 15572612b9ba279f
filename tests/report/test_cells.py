"""Cells of merge × fuse × path: what steps change adds up to the whole, and nothing is made up between cells."""

from dataclasses import replace
from itertools import pairwise

import made_profiles as made
import pytest
from made_runs import GPT_OSS

from harness.records.case import Test
from harness.report.cells import Cells, Counts, cells_of, step, total_ns, way
from harness.report.charts import Waterfall
from harness.report.document import gain_sections
from harness.report.sections import why
from harness.report.table import Table


def only(*profiles: made.CaseProfile) -> Cells:
    (found,) = cells_of(profiles)
    return found


def test_the_way_leads_from_the_plainest_cell_to_the_fastest_one_choice_at_a_time() -> None:
    steps = way(only(*made.cube()))
    assert [taken.label for taken in steps] == ["path grouped", "fuse on", "merge on"]
    assert steps[0].before.label == "merge off, fuse off, path per_expert"
    assert steps[-1].after.label == "merge on, fuse on, path grouped"
    assert all(a.after is b.before for a, b in pairwise(steps))


def test_operations_add_up_to_their_step_and_steps_to_the_whole_difference() -> None:
    cells = only(*made.cube())
    steps = way(cells)
    for taken in steps:
        assert sum(op.ns.mean for op in taken.ops) == pytest.approx(taken.whole.ns.mean)
        assert sum((op.after for op in taken.ops), Counts()) == taken.whole.after
    difference = total_ns(cells.fastest.row) - total_ns(cells.plainest.row)
    assert sum(taken.whole.ns.mean for taken in steps) == pytest.approx(difference)
    assert difference == pytest.approx(-2 * sum(made.SAVES_NS.values()))


def test_a_step_is_what_its_choice_saves_whatever_drifts_from_round_to_round() -> None:
    for taken, choice in zip(way(only(*made.cube())), ("path", "fuse", "merge"), strict=True):
        attention, up_gate = taken.ops
        assert (up_gate.name, up_gate.ns.mean) == ("moe_up_gate", pytest.approx(-2 * made.SAVES_NS[choice]))
        assert up_gate.is_certain
        assert (attention.ns.mean, attention.is_certain) == (0, False)
        assert attention.before == attention.after


def test_counts_are_those_of_both_cells() -> None:
    path, fuse, merge = (taken.ops[1] for taken in way(only(*made.cube())))
    assert (path.before.launches, path.after.launches) == (2 * 3 * 32, 2 * 3)
    assert (fuse.before.activation_bytes, fuse.after.activation_bytes) == (2 * 6e6, 2 * 4e6)
    assert (merge.before.tiles, merge.after.tiles, merge.after.launches) == (2 * 46, 2 * 45, 2)
    assert merge.before.macs == merge.after.macs == 2 * 8e6


def test_another_order_is_taken_where_a_cell_was_not_measured() -> None:
    without = [p for p in made.cube() if p.case.axes.moe_path == "grouped" or not p.case.axes.fused_moe]
    without = [p for p in without if not (p.case.axes.moe_path == "grouped" and not p.case.axes.merge_up_gate)]
    steps = way(only(*without))
    assert [taken.label for taken in steps] == ["merge on", "path grouped", "fuse on"]


def test_two_cells_that_differ_in_two_choices_are_one_step_that_names_both() -> None:
    (taken,) = way(only(made.cell(False, False, "grouped"), made.cell(True, True, "grouped")))
    assert taken.label == "fuse on, merge on"


def test_where_nothing_is_faster_than_the_plain_cell_the_way_shows_what_the_choices_cost() -> None:
    plain, merged = made.cell(True, True, "grouped"), made.cell(False, True, "grouped")
    swapped = [replace(a, case=b.case) for a, b in ((plain, merged), (merged, plain))]
    cells = only(*swapped)
    assert cells.best is cells.plainest
    (taken,) = way(cells)
    assert taken.whole.ns.mean == pytest.approx(2 * made.SAVES_NS["merge"])
    assert taken.speed.verdict == "SLOWER"


def test_a_choice_that_costs_nothing_for_certain_is_on_the_way_and_one_that_costs_is_not() -> None:
    plain, merged = made.cell(False, True, "grouped"), made.cell(True, True, "grouped")
    times = plain.rows[0].plain_runs_ns
    for factors, best in (((0.99, 1.03), "merge on"), ((1.01, 1.02), "merge off")):
        runs = tuple(round(ns * factors[n % 2]) for n, ns in enumerate(times))
        row = replace(merged.rows[0], plain_runs_ns=runs, plain_ns=sorted(runs)[3])
        cells = only(plain, replace(merged, rows=(row,)))
        assert cells.fastest is cells.plainest
        assert cells.best.label.startswith(best)


def test_cells_of_other_settings_models_and_rows_are_apart() -> None:
    profiles = [
        *(made.cell(merge, True, "grouped", ubatch=ubatch) for ubatch in (8, 512) for merge in (False, True)),
        *(made.cell(merge, True, "grouped", test=Test("tg", 0, 4)) for merge in (False, True)),
        made.cell(False, True, "grouped", model=replace(GPT_OSS, name="alone")),
    ]
    found = cells_of(profiles)
    assert [(cells.setting, cells.test, len(cells.cells)) for cells in found] == [
        ("ubatch 8", "pp64", 2),
        ("ubatch 512", "pp64", 2),
        ("ubatch 512", "tg4", 2),
    ]


def test_cells_are_compared_over_the_rounds_that_all_of_them_have() -> None:
    cells = only(made.cell(False, True, "grouped"), made.cell(True, True, "grouped", n_runs=4))
    assert {len(cell.row.plain_runs_ns) for cell in cells.cells} == {4}
    assert step(("merge_up_gate",), *cells.cells).whole.ns.mean == pytest.approx(-2 * made.SAVES_NS["merge"])


def test_disturbed_rounds_make_no_verdict() -> None:
    cells = only(made.cell(False, True, "grouped"), made.cell(True, True, "grouped", disturbed=True))
    assert step(("merge_up_gate",), *cells.cells).speed.verdict == "CANNOT TELL"


def test_a_single_cell_has_no_section() -> None:
    assert why.section([made.cell(False, True, "grouped")]) is None
    assert why.section([]) is None
    assert gain_sections((), [made.cell(False, True, "grouped")]) == ()


def test_the_section_shows_the_waterfall_and_the_same_figures_below_it() -> None:
    section = why.section(made.cube())
    assert section is not None
    assert "from merge off, fuse off, path per_expert (9.82 ms) to merge on, fuse on, path grouped (7.32 ms)" in str(
        section.blocks[0]
    )
    assert "merging pays" in str(section.blocks[1])
    (chart,) = [chart for block in section.blocks for chart in getattr(block, "charts", ())]
    assert isinstance(chart, Waterfall)
    drawn = sum(fall.change for _, falls in chart.steps for fall in falls)
    assert drawn == pytest.approx(-2.5)
    steps, choices = (block for block in section.blocks if isinstance(block, Table))
    assert steps.rows[-1][2].value == pytest.approx(-2_500_000)
    assert [row[0].text for row in choices.rows] == ["merge on"] * 4 + ["fuse on"] * 4 + ["path grouped"] * 4
    launches = next(row[3].text for row in steps.rows if row[1].text == "moe_up_gate")
    assert launches == "192 → 6"


def test_of_many_settings_those_with_the_most_cells_are_open() -> None:
    pairs = [made.cell(merge, True, "grouped", ubatch=ubatch) for ubatch in (8, 32) for merge in (False, True)]
    section = why.section([*pairs, *made.cube()])
    assert section is not None
    assert "8 → " not in str(section.blocks[0])
    assert "ubatch 512" in str(section.blocks[0])
    fold = section.blocks[-2]
    assert "2 more settings" in str(fold)
