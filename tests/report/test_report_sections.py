"""Each topic of the report, with numbers that can be worked out by hand."""

from collections.abc import Sequence
from dataclasses import replace

import made_runs as made
import pytest

from harness.records.axes import Axes
from harness.records.record import Limits, Record
from harness.records.timing import Row, Sample
from harness.report.blocks import Block, Fold, Section
from harness.report.blocks import Row as ChartRow
from harness.report.charts import BarChart, HeatMap, LineChart, StackedChart
from harness.report.document import run_document
from harness.report.sections import (
    attribution,
    curves,
    energy,
    experts,
    gains,
    latency,
    limits,
    loading,
    memory,
    merges,
    noise,
    published,
    samples,
    sweep,
)
from harness.report.sections import tests as single_tests
from harness.report.speeds import load_times
from harness.report.table import Table
from harness.report.variants import Group, groups

PP, TG = made.Test("pp", n_prompt=512), made.Test("tg", n_gen=32)


def only(records: Sequence[Record]) -> Group:
    (group,) = groups(records)
    return group


def tables(blocks: Sequence[Block]) -> list[Table]:
    found: list[Table] = []
    for block in blocks:
        if isinstance(block, Table):
            found.append(block)
        elif isinstance(block, ChartRow) and block.beside:
            found.append(block.beside)
        elif isinstance(block, Fold):
            found += tables(block.blocks)
    return found


def charts(section: Section | None) -> list[object]:
    assert section is not None
    return [chart for block in section.blocks if isinstance(block, ChartRow) for chart in block.charts]


def column(table: Table, head: str) -> list[str]:
    place = table.full_heads.index(head)
    return [row[place].text for row in table.rows]


def timed(n_prompt: int, n_gen: int, seconds: Sequence[float], **row: object) -> Row:
    found = tuple(
        Sample(i, round(s * 1e9), n_prompt + n_gen, token_ns=(round(s / max(1, n_gen) * 1e9),) * n_gen)
        for i, s in enumerate(seconds)
    )
    return Row(n_prompt, n_gen, 0, found, **row)  # type: ignore[arg-type]


def test_the_sweep_table_has_a_row_per_depth_and_the_ratio_of_speeds() -> None:
    group = only(made.pair(tests=(made.SWEEP,)))
    table = sweep.pair_table(group, group.pairs[0])
    assert table is not None
    assert column(table, "N_KV") == [str(depth) for depth in made.SWEEP.depths]
    off, on = (float(column(table, f"merge {side}: T_PP s")[0]) for side in ("off", "on"))
    assert float(column(table, "ratio: PP")[0].split()[0].lstrip("×")) == pytest.approx(off / on, abs=2e-3)
    assert float(column(table, "merge off: S_PP t/s")[0]) == pytest.approx(512 / off, rel=1e-3)


def test_a_sweep_without_a_counterpart_is_shown_alone() -> None:
    group = only([made.record()])
    section = sweep.section(group)
    assert section is not None
    assert [table.full_heads for table in tables(section.blocks)] == [
        ("PP", "TG", "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s")
    ]


def test_curves_carry_the_interval_and_single_depths_are_bars() -> None:
    pp, tg = charts(curves.section(only(made.pair(tests=(made.SWEEP,)))))
    assert isinstance(pp, LineChart)
    assert [line.variant for line in pp.lines] == [0, 1]
    assert all(low is not None and low < y for line in pp.lines for y, low in zip(line.y, line.low, strict=True))
    assert isinstance(tg, LineChart)
    (bars,) = charts(curves.section(only(made.pair(tests=(PP,)))))
    assert isinstance(bars, BarChart)


def test_the_gain_is_drawn_in_percent_around_zero() -> None:
    pp, tg = charts(gains.section(only(made.pair(gain=1.1, tests=(made.SWEEP,)))))
    assert isinstance(pp, LineChart)
    assert pp.around_zero
    assert all(8.5 < y < 11.5 for y in pp.lines[0].y)
    assert isinstance(tg, LineChart)
    assert all(abs(y) < 1.5 for y in tg.lines[0].y)


def test_single_tests_stand_under_llama_benchs_names() -> None:
    section = single_tests.section(only(made.pair()))
    assert section is not None
    (table,) = tables(section.blocks)
    assert column(table, "test") == ["pp512", "tg32"]


def test_the_gain_is_taken_apart_into_merging_and_fusing() -> None:
    group = only(made.four_cells(merge=1.07, fuse=1.04, tests=(PP,)))
    section = attribution.section(group)
    assert section is not None
    (table,) = tables(section.blocks)
    found = dict(zip(column(table, "step"), column(table, "PP"), strict=True))
    expected = {
        "merging, unfused": 1.07,
        "merging, fused": 1.07,
        "fusing, unmerged": 1.04,
        "fusing, merged": 1.04,
        "both": 1.07 * 1.04,
    }
    assert {step: float(text.split()[0].lstrip("×")) for step, text in found.items()} == pytest.approx(
        expected, abs=0.006
    )


def test_three_cells_make_no_attribution() -> None:
    assert attribution.section(only(made.four_cells(tests=(PP,))[:3])) is None


def test_loads_that_tests_share_count_once() -> None:
    """Tests that took turns in one worker have its loads in the record of each."""
    a, b = (replace(made.record(test), load_ns=(300, 100)) for test in (PP, TG))
    assert load_times((a, b)) == (300, 100)
    assert load_times((a, replace(b, load_ns=(300, 200)))) == (300, 100, 300, 200)


def test_load_phases_stack_to_the_whole_load_in_their_order() -> None:
    (chart,) = charts(loading.section(only(made.pair(tests=(PP,)))))
    assert isinstance(chart, StackedChart)
    assert chart.parts == ("open", "metadata", "plan", "read", "place", "first_token")
    assert [round(sum(parts), 3) for _, _, parts in chart.bars] == [2.576, 2.585]


def test_latency_percentiles_are_times_that_occurred() -> None:
    assert [latency.percentile(range(1, 101), p) for p in (50.0, 90.0, 99.0, 100.0)] == [50, 90, 99, 100]
    assert latency.percentile([7], 50.0) == 7
    record = made.record(TG)
    tokens = tuple(range(1_000_000, 33_000_000, 1_000_000))
    row = Row(0, 32, 0, (Sample(0, sum(tokens), 32, token_ns=tokens),))
    section = latency.section(only([replace(record, rows=(row,), ttft_ns=12_300_000_000)]))
    assert section is not None
    (table,) = tables(section.blocks)
    assert [row[1:] and [cell.text for cell in row[1:]] for row in table.rows] == [
        ["16.00", "29.00", "31.00", "32.00", "32.00", "32", "12.3 s"]
    ]


def test_the_share_of_the_limit_is_work_per_second_over_the_limit() -> None:
    limit = Limits(bandwidth={"ram": 20e9}, rate={"int8": 1e12, "f32": 0.25e12})
    pp = replace(made.record(PP), rows=(timed(512, 0, [1, 1], macs_per_token=10**9),), limits=limit)
    tg = replace(
        made.record(TG), rows=(timed(0, 32, [4, 4], bytes_per_token=2 * 10**9, macs_per_token=10**9),), limits=limit
    )
    section = limits.section(only([pp, tg]))
    assert section is not None
    table = tables(section.blocks)[-1]
    assert column(table, "test") == ["pp512", "tg32"]
    assert column(table, "bandwidth: ram") == ["–", "80.0 %"]
    assert column(table, "rate: int8") == ["51.2 %", "0.8 %"]
    assert column(table, "rate: f32") == ["204.8 %", "3.2 %"]
    (chart,) = charts(section)
    assert isinstance(chart, BarChart)
    assert [(name, [bar.value for bar in bars]) for name, bars in chart.groups] == [
        ("TG, memory bandwidth", [pytest.approx(80.0)]),
        ("PP, multiply rate", [pytest.approx(51.2)]),
        ("TG, multiply rate", [pytest.approx(0.8)]),
    ]


def test_energy_is_per_token_and_a_missing_one_has_its_reason() -> None:
    joules = tuple(replace(s, energy_j=64.0) for s in timed(0, 32, [2, 2]).samples)
    record = replace(made.record(TG), rows=(Row(0, 32, 0, joules),))
    section = energy.section(only([record]))
    assert section is not None
    (table,) = tables(section.blocks)
    assert (column(table, "J/token"), column(table, "W")) == (["2.00"], ["32.0"])
    missing = energy.section(only([made.record(TG)]))
    assert missing is not None
    assert "no RAPL counter is readable" in str(missing.blocks)


def test_memory_is_the_highest_peak_beside_the_models_size() -> None:
    low, high = (replace(made.record(test), rss_peak_bytes=n << 30) for test, n in ((PP, 3), (TG, 4)))
    section = memory.section(only([low, high]))
    assert section is not None
    (table,) = tables(section.blocks)
    assert column(table, "RAM peak") == ["4.00 GiB"]


def test_layers_of_one_fate_share_a_row_of_the_merge_plan() -> None:
    section = merges.section(only(made.pair(tests=(PP,))))
    assert section is not None
    (table,) = tables(section.blocks)
    assert list(zip(column(table, "layers"), column(table, "outcome"), column(table, "why"), strict=True)) == [
        ("0–3", "not merged", "merge_up_gate is off"),
        ("0–2", "merged", ""),
        ("3", "not merged", "up and gate are on different devices"),
    ]
    assert "a merge adds no bytes" in table.note


def test_a_plan_of_another_shape_is_passed_over() -> None:
    record = made.record(PP)
    assert record.load is not None
    odd = replace(
        record,
        load=replace(record.load, plan={"merges": [1, {"layer": "x"}, {"layer": 2, "done": True}, {"layers": [4, 5]}]}),
    )
    assert [(d.layer, d.done, d.kind) for d in merges.decisions([odd])] == [
        (2, True, ""),
        (4, False, ""),
        (5, False, ""),
    ]


def test_experts_used_alike_by_all_variants_are_drawn_once() -> None:
    same = ((10, 10, 20, 0), (5, 5, 5, 5))
    records = [replace(record, expert_counts=same) for record in made.pair(tests=(PP,))]
    (chart,) = charts(experts.section(only(records)))
    assert isinstance(chart, HeatMap)
    assert chart.cells == ((1.0, 1.0, 2.0, 0.0), (1.0, 1.0, 1.0, 1.0))
    assert experts.effective_experts((5, 5, 5, 5)) == pytest.approx(4.0)
    assert experts.effective_experts((7, 0, 0, 0)) == pytest.approx(1.0)


def test_noise_counts_what_did_not_count() -> None:
    section = noise.section(groups(made.pair(tests=(PP,))))
    assert section is not None
    (table,) = tables(section.blocks)
    states = [sample.state for record in made.pair(tests=(PP,)) for row in record.rows for sample in row.samples]
    assert sum(map(int, column(table, "samples"))) == len(states)
    assert sum(map(int, column(table, "not counted"))) == sum(state != "ok" for state in states)


def test_every_sample_is_there_and_a_failed_cases_samples_have_no_speed() -> None:
    off, on = made.pair(tests=(PP,))
    stopped = replace(on, status="timeout")
    section = samples.section(groups([off, stopped]))
    assert section is not None
    good, bad = tables(section.blocks)
    assert len(good.rows) == len(off.rows[0].samples)
    assert len(bad.rows) == len(on.rows[0].samples)
    assert set(column(bad, "t/s")) == {"–"}


@pytest.mark.parametrize("spoil", [made.failed, made.invalid, lambda r: replace(r, status="interrupted")])
def test_a_case_that_is_not_ok_is_listed_and_has_no_speed_anywhere(spoil: object) -> None:
    off, on = made.pair(tests=(PP,))
    bad = spoil(replace(on, rows=(timed(512, 0, [1.234567, 1.234567, 1.234567]),)))  # type: ignore[operator]
    document = run_document(made.info((off, bad)), (off, bad))
    section = next(s for s in document.sections if s.key == "outcome")
    assert len(tables(section.blocks)[0].rows) == 1
    assert "414.72" not in str(document)  # 512 / 1.234567


def test_imported_results_stand_apart_and_in_no_curve() -> None:
    own, foreign = made.pair(tests=(PP,))
    foreign = made.imported(replace(foreign, rows=(timed(512, 0, [1.234567] * 3),)))
    document = run_document(made.info((own, foreign)), (own, foreign))
    section = next(s for s in document.sections if s.key == "imported")
    assert column(tables(section.blocks)[0], "t/s") == ["414.72"]
    assert "414.72" not in str(document.parts)


def test_published_figures_are_named_as_others_and_drawn_only_on_request() -> None:
    records = made.pair(tests=(made.SWEEP,))
    assert not any(s.key == "published" for s in run_document(made.info(records), records).sections)
    text = made.YAML + "report: {reference: [ik-1137, ik-1403]}\n"
    document = run_document(made.info(records, text), records)
    section = next(s for s in document.sections if s.key == "published")
    pp, _ = charts(section)
    assert isinstance(pp, LineChart)
    theirs = [line.label for line in pp.lines if line.variant < 0]
    assert len(theirs) == 3
    assert all(label.startswith("published by others: ") for label in theirs)
    assert "model and merge not known" in theirs[0]
    assert "heading not known" in str(section)
    assert document.parts == run_document(made.info(records), records).parts


def test_an_unknown_reference_is_named_with_a_suggestion() -> None:
    section = published.section((), ("ik-1403-of",))
    assert section is not None
    assert "did you mean ik-1403-off?" in str(section.blocks)


def test_two_tests_of_one_variant_do_not_mix_work_in_a_curve() -> None:
    records = [made.record(made.Test("pp", n_prompt=n), Axes()) for n in (512, 1024)]
    (chart,) = charts(curves.section(only(records)))
    assert isinstance(chart, BarChart)
    assert chart.groups[0][0] == "pp512"
