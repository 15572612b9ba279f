"""The gate where suspects took turns with the baseline's build: pairs of processes say all there is to say."""

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.stats.gate import again, judge, newest_of_level
from harness.stats.judgement import PAIRS_NEEDED, Judgement, Rules
from harness.stats.nights import SeriesNights

RULES = Rules()


def nights(tonight: float = 0.0, n: int = 12, seed: int = 1, sd: float = 0.005) -> list[SeriesNights]:
    """`n` series of twenty nights, which tonight are `tonight` off together."""
    values = 3.0 + np.random.default_rng(seed).normal(0, sd, (n, 21))
    values[:, -1] += tonight
    return [
        SeriesNights(
            f"s{i}", tuple((float(v),) for v in row[:-1]), float(row[-1]), sessions=tuple((f"n{k}",) for k in range(20))
        )
        for i, row in enumerate(values)
    ]


def slow(series: list[SeriesNights], name: str, by: float) -> list[SeriesNights]:
    return [replace(s, tonight=3.0 - by) if s.series_id == name else s for s in series]


def turns(level: float, n: int = 16, sd: float = 0.01, seed: int = 5) -> dict[str, float]:
    return {f"run.{i}": float(v) for i, v in enumerate(np.random.default_rng(seed).normal(level, sd, n))}


def of(found: tuple[Judgement, ...], name: str) -> Judgement:
    return next(judgement for judgement in found if judgement.series_id == name)


def test_a_slowdown_that_turns_confirm_is_an_alarm_with_their_ratio() -> None:
    found = of(judge(slow(nights(), "s3", 0.05), {}, RULES, turns={"s3": turns(-0.05)}), "s3")
    assert found.outcome == "SLOWER"
    assert found.reason == "in 16 pairs of processes with the baseline's build"
    assert found.ratio == pytest.approx(math.exp(-0.05), abs=0.01)


def test_a_mood_that_befalls_a_suspect_and_its_fresh_sessions_alike_is_none() -> None:
    """Six of twelve series are 6 % slower tonight, as often as they are run: no weather, for it is not all of them."""
    moody = nights()
    for name in ("s0", "s1", "s2", "s3", "s4", "s5"):
        moody = slow(moody, name, 0.06)
    fresh = {f"s{i}": {f"again {k}": 3.0 - 0.06 * (i < 6) for k in range(5)} for i in range(12)}
    alone = judge(moody, fresh, RULES)
    assert "SLOWER" in {judgement.outcome for judgement in alone}
    suspects = again(moody, RULES).suspects
    together = judge(moody, fresh, RULES, turns={name: turns(0.0, seed=i) for i, name in enumerate(suspects)})
    assert {of(together, name).outcome for name in suspects} == {"SAME"}
    assert "SLOWER" not in {judgement.outcome for judgement in together}


def test_what_slows_everything_is_told_from_the_code_by_turns() -> None:
    everything = nights(tonight=-0.06)
    kind = again(everything, RULES).moved
    assert kind == ("",)
    sample = ("s1", "s2", "s5", "s7")
    calm = judge(everything, {}, RULES, {"": -0.06}, {name: turns(0.0, seed=i) for i, name in enumerate(sample)})
    assert "SLOWER" not in {judgement.outcome for judgement in calm}
    assert {of(calm, name).outcome for name in sample} == {"SAME"}
    guilty = judge(everything, {}, RULES, {"": -0.06}, {name: turns(-0.06, seed=i) for i, name in enumerate(sample)})
    assert {of(guilty, name).outcome for name in sample} == {"SLOWER"}
    others = [judgement for judgement in guilty if judgement.series_id not in sample]
    assert {judgement.outcome for judgement in others} <= {"SLOWER", "CANNOT TELL"}
    assert any("as all series together" in judgement.reason for judgement in others)


def test_a_suspect_that_turns_confirm_says_nothing_of_the_others() -> None:
    suspect = slow(nights(), "s3", 0.05)
    found = judge(suspect, {}, RULES, turns={"s3": turns(-0.05)})
    assert [judgement.series_id for judgement in found if judgement.outcome == "SLOWER"] == ["s3"]


def test_too_few_pairs_leave_the_word_to_the_sessions() -> None:
    few = turns(0.0, n=PAIRS_NEEDED - 1)
    suspect = slow(nights(), "s3", 0.05)
    fresh = {f"s{i}": {f"again {k}": 3.0 - 0.05 * (i == 3) for k in range(5)} for i in range(12)}
    assert of(judge(suspect, fresh, RULES, turns={"s3": few}), "s3").outcome == "SLOWER"
    assert of(judge(suspect, fresh, RULES, turns={"s3": turns(0.0)}), "s3").outcome == "SAME"


def test_turns_that_scatter_cannot_tell() -> None:
    found = of(judge(slow(nights(), "s3", 0.05), {}, RULES, turns={"s3": turns(-0.02, n=4, sd=0.06)}), "s3")
    assert found.outcome == "CANNOT TELL"


def test_unchanged_suspects_in_turns_seldom_alarm() -> None:
    """Moods without end: tonight is what it wants to be, and only turns are worth anything."""
    alarms = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        suite = [replace(s, tonight=s.tonight + float(random.normal(-0.03, 0.03))) for s in nights(seed=seed)]
        asked = again(suite, RULES)
        measured = (*asked.suspects, *asked.company[:4])
        found = judge(
            suite, {}, RULES, turns={n: turns(0.0, sd=0.02, seed=seed * 50 + i) for i, n in enumerate(measured)}
        )
        alarms += any(judgement.outcome == "SLOWER" for judgement in found)
    assert alarms <= 16, "five in a hundred are allowed"


def test_the_build_to_take_turns_with_is_of_the_level_that_tonight_is_held_against() -> None:
    last = newest_of_level(nights(), RULES)
    assert last["s3"] == "n19"
    lasting = [
        replace(s, nights=(*s.nights[:15], *((v[0] - 0.05,) for v in s.nights[15:])), tonight=s.tonight - 0.05)
        if s.series_id == "s3"
        else s
        for s in nights()
    ]
    assert newest_of_level(lasting, RULES)["s3"] == "n14", "the slow nights' builds would clear it"
    assert newest_of_level(lasting, RULES)["s4"] == "n19"
    pinned = [replace(s, pinned=(7,)) for s in nights()]
    assert newest_of_level(pinned, RULES)["s3"] == "n7"


def test_a_slowdown_of_everything_that_lasts_is_held_against_the_build_before_it() -> None:
    everything = [
        replace(s, nights=(*s.nights[:15], *((v[0] - 0.05,) for v in s.nights[15:])), tonight=s.tonight - 0.05)
        for s in nights()
    ]
    assert again(everything, RULES).moved == ("",)
    assert newest_of_level(everything, RULES)[""] == "n14"
