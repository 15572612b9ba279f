"""The verdicts of a comparison: who is compared with whom, what is a pair, and what is never shown as a speed."""

from dataclasses import replace

from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, Test
from harness.records.record import Equivalence, Failure, Record
from harness.records.timing import Row, Sample
from harness.report.duels import against_best, comparisons, duel_table, duels
from harness.report.markdown import table_markdown

MS = 1_000_000
NOISE = (1.0, 1.002, 0.999, 1.001, 0.998, 1.0)


def record(engine: str, ms: float, states: str = "oooooo", status: str = "ok", **axes: object) -> Record:
    names = {"o": "ok", "c": "contended", "w": "warmup"}
    samples = tuple(Sample(0, round(ms * MS * n), 512, names[state]) for n, state in zip(NOISE, states, strict=True))
    case = Case(
        case_id=f"{engine} {axes}",
        config="made",
        model=ModelRef("m"),
        axes=replace(Axes(engine=engine), **axes),  # type: ignore[arg-type]
        test=Test("pp", 512),
        sampling=Sampling(),
        comparison=f"engine {axes.get('threads', 0)}",
    )
    return Record(case, status, "r", "", (Row(512, 0, 0, samples, "precision"),))  # type: ignore[arg-type]


def test_every_value_stands_against_the_first() -> None:
    found = duels([record("core", 100), record("ik_wheel", 110), record("ik_wheel", 90, repack=True)])
    assert [(duel.base, duel.other, duel.verdict) for duel in found] == [
        ("engine=core, repack=off", "engine=ik_wheel, repack=off", "SLOWER"),
        ("engine=core, repack=off", "engine=ik_wheel, repack=on", "FASTER"),
    ]
    assert found[0].base_per_s is not None
    assert abs(found[0].base_per_s - 5120) < 1


def test_what_other_comparisons_differ_in_is_the_setting() -> None:
    pairs = [record(engine, 100, threads=n) for n in (1, 2) for engine in ("core", "ik_wheel")]
    assert [duel.setting for duel in duels(pairs)] == ["threads=1", "threads=2"]


def test_ours_is_set_against_the_fastest_of_the_others() -> None:
    (best,) = against_best([record("core", 100), record("ik_wheel", 130), record("xllamacpp", 105)])
    assert best.base == "engine=xllamacpp"
    assert best.other == "engine=core"
    assert best.result is not None
    assert abs(best.result.ratio - 1.05) < 1e-3
    assert best.verdict == "FASTER"


def test_only_rounds_that_are_well_on_both_sides_are_pairs() -> None:
    (duel,) = duels([record("core", 100, "wooooo"), record("ik_wheel", 110, "wocooo")])
    assert duel.result is not None
    assert duel.result.n_pairs == 4


def test_without_an_undisturbed_pair_nothing_is_told() -> None:
    (duel,) = duels([record("core", 100, "cccccc"), record("ik_wheel", 110)])
    assert (duel.verdict, duel.result, duel.base_per_s) == ("CANNOT TELL", None, None)


def test_fast_and_wrong_is_invalid_and_shows_no_speed() -> None:
    wrong = replace(record("ik_wheel", 50), status="invalid", equivalence=Equivalence("INVALID", note="far off"))
    (duel,) = duels([record("core", 100), wrong])
    assert (duel.verdict, duel.why, duel.equivalence) == ("INVALID", "far off", "INVALID")
    text = table_markdown(duel_table([duel], "x"))
    assert "INVALID" in text
    assert "5120" not in text
    assert "10240" not in text
    assert against_best([record("core", 100), wrong]) == ()


def test_a_side_that_failed_says_why() -> None:
    dead = replace(record("ik_wheel", 50), status="crashed", error=Failure("Crash", "SIGSEGV in phase load"))
    (duel,) = duels([record("core", 100), dead])
    assert (duel.verdict, duel.why) == ("crashed", "SIGSEGV in phase load")


def test_a_record_alone_is_in_no_comparison() -> None:
    assert comparisons([record("core", 100)]) == ()
