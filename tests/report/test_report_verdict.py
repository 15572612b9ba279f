"""The sentence on the first screen, and when there is none."""

import re
from dataclasses import replace

import made_runs as made
import pytest

from harness.records.axes import Axes
from harness.records.record import Record
from harness.records.timing import Row, Sample
from harness.report.document import comparison_document, records_document
from harness.report.effects import pair_effects
from harness.report.headline import headline
from harness.report.html import render
from harness.report.variants import groups

PP, TG = made.Test("pp", n_prompt=512), made.Test("tg", n_gen=32)


def exact(test: made.Test, *, merge: bool, times: list[int], start: int = 0) -> Record:
    """A record whose samples took exactly `times` ms."""
    n_tokens = test.n_prompt or test.n_gen
    samples = tuple(Sample(start + 2 * i, ms * 1_000_000, n_tokens) for i, ms in enumerate(times))
    record = made.record(test, Axes(merge_up_gate=merge))
    return replace(record, rows=(Row(test.n_prompt, test.n_gen, 0, samples),), load_ns=(3_000_000_000,))


def sentence(records: list[Record]) -> str:
    (part,) = records_document(records).parts
    return part.headlines[0].sentence


def both(off: list[int], on: list[int], test: made.Test = PP) -> list[Record]:
    return [exact(test, merge=False, times=off), exact(test, merge=True, times=on, start=1)]


@pytest.mark.parametrize(
    ("off", "on", "said"),
    [
        ([1096, 1097, 1095], [1000, 1001, 999], "Merging makes PP 9.6 % faster [9.5, 9.7]; load +0.0 s."),
        ([1000, 1002, 998], [1050, 1052, 1048], "Merging makes PP 4.8 % slower [4.7, 4.8]; load +0.0 s."),
        ([1000, 1001, 999], [1001, 1000, 1000], "Merging leaves PP the same; load +0.0 s."),
        ([1000, 1200, 900], [1100, 1000, 950], "Merging: PP cannot be told [−57.1, 138.6]; load +0.0 s."),
    ],
)
def test_the_sentence_says_what_the_samples_say(off: list[int], on: list[int], said: str) -> None:
    assert sentence(both(off, on)) == said


def test_tg_and_load_follow_pp() -> None:
    records = [*both([1096, 1097, 1095], [1000, 1001, 999]), *both([100, 101, 100], [100, 101, 100], TG)]
    records = [replace(r, load_ns=(3_400_000_000,)) if r.case.axes.merge_up_gate else r for r in records]
    assert sentence(records) == "Merging makes PP 9.6 % faster [9.5, 9.7]; TG the same; load +0.4 s."


@pytest.mark.parametrize(
    ("off", "on", "said"),
    [
        ((259, 587, 290), (257, 280, 333), "load cannot be told"),
        ((3000, 3100), (3400, 3500), "load +0.4 s"),
        ((3000, 3020), (3010, 3030), "load +0.0 s"),
        ((3000,), (3400,), "load +0.4 s"),
    ],
)
def test_loads_that_scatter_into_each_other_tell_nothing(off: tuple[int, ...], on: tuple[int, ...], said: str) -> None:
    sides = zip(both([1000, 1001, 999], [1001, 1000, 1000]), (off, on), strict=True)
    records = [replace(record, load_ns=tuple(ms * 1_000_000 for ms in loads)) for record, loads in sides]
    assert sentence(records) == f"Merging leaves PP the same; {said}."


def test_an_invalid_side_gives_no_verdict_and_no_figure() -> None:
    off, on = both([1096, 1097, 1095], [1000, 1001, 999])
    (group,) = groups([off, made.invalid(on)])
    found = headline(pair_effects(group, group.pairs[0]))
    assert found.sentence == (
        "Merging: no verdict, because the results of “merge on” are not those they should be (INVALID)."
    )
    assert found.verdicts == ()


def test_a_crashed_side_gives_no_verdict() -> None:
    off, on = both([1096, 1097, 1095], [1000, 1001, 999])
    assert sentence([off, made.failed(on)]) == "Merging: no verdict, because “merge on” crashed."


def test_contended_and_warm_up_samples_do_not_count_where_better_ones_exist() -> None:
    off, on = both([1096, 1097, 1095], [1000, 1001, 999])
    row = on.rows[0]
    bad = (Sample(9, 5_000_000_000, 512, "warmup"), Sample(11, 7_000_000_000, 512, "contended"))
    assert sentence([off, replace(on, rows=(replace(row, samples=(*bad, *row.samples)),))]).startswith(
        "Merging makes PP 9.6 %"
    )


def test_sides_measured_one_after_the_other_carry_a_caution() -> None:
    off = exact(PP, merge=False, times=[1096, 1097, 1095])
    on = exact(PP, merge=True, times=[1000, 1001, 999], start=1_000)
    (part,) = records_document([off, on]).parts
    assert part.headlines[0].cautions[0].text.startswith("The two sides were measured one after the other")
    assert part.headlines[0].sentence == "Merging makes PP 9.6 % faster [3.8, 15.8]; load +0.0 s."
    (taking_turns,) = records_document(both([1096, 1097, 1095], [1000, 1001, 999])).parts
    assert taking_turns.headlines[0].cautions == ()


def test_samples_that_were_all_disturbed_give_no_verdict() -> None:
    off, on = both([1096, 1097, 1095], [1000, 1001, 999])
    row = on.rows[0]
    busy = replace(row, samples=tuple(replace(sample, state="contended") for sample in row.samples))
    (part,) = records_document([off, replace(on, rows=(busy,))]).parts
    assert part.headlines[0].sentence == "Merging: PP cannot be told; load +0.0 s."
    assert part.headlines[0].verdicts[0].figure == "?"
    assert "disturbed every sample" in part.headlines[0].cautions[0].text


def test_sides_that_took_turns_are_paired_by_round() -> None:
    """A disturbed sample takes its round with it, not the pairing of all later ones."""
    off, on = both([1096, 2192, 3288, 4384], [1000, 2000, 3000, 4000])
    row = on.rows[0]
    first = replace(row.samples[0], state="contended")
    spoilt = replace(on, rows=(replace(row, samples=(first, *row.samples[1:])),))
    assert sentence([off, spoilt]) == "Merging makes PP 9.6 % faster [9.6, 9.6]; load +0.0 s."


def test_an_undecided_verdict_says_how_many_pairs_would_settle_it() -> None:
    (part,) = records_document(both([1000, 1020, 990], [1000, 1010, 980])).parts
    pp = part.headlines[0].verdicts[0]
    assert pp.mood == "warn"
    assert "pairs would settle it" in pp.word


def test_other_axes_are_named_by_their_values() -> None:
    records = [made.record(PP, Axes(threads=threads), gain=gain) for threads, gain in ((1, 1.0), (2, 1.9))]
    assert re.match(r"threads 2 against 1: PP (89|90|91)\.", sentence(records))


def test_a_published_figure_never_makes_a_verdict() -> None:
    records = (made.record(PP, Axes()),)
    assert records_document(records).parts[0].headlines == ()
    assert (
        records_document([*records, made.imported(made.record(PP, Axes(merge_up_gate=True)))]).parts[0].headlines == ()
    )


def test_two_runs_are_compared_as_runs_and_never_as_turns() -> None:
    a, b = both([1096, 1097, 1095], [1000, 1001, 999])
    records = [replace(r, case=replace(r.case, axes=Axes(), comparison="")) for r in (a, b)]
    base, other = (records[0], "run-a"), (records[1], "run-b")
    sides = [(replace(made.info((r,)), run=run), (replace(r, run=run),)) for r, run in (base, other)]
    document = comparison_document(*sides)
    (part,) = document.parts
    assert document.title == "run-b against run-a"
    assert part.headlines[0].sentence == "run-b against run-a: PP 9.6 % faster [3.8, 15.8]; load +0.0 s."
    assert {section.key for section in document.sections} >= {"repeat-1", "repeat-2"}
    assert render(document).count("<h2") >= 4


def test_a_comparison_across_machines_says_so() -> None:
    a = made.record(PP)
    b = replace(a, run="other", fingerprint=replace(a.fingerprint, device_class="another"))
    document = comparison_document((made.info((a,)), (a,)), (replace(made.info((b,)), run="other"), (b,)))
    assert any("different machines" in warning.text for warning in document.warnings)
