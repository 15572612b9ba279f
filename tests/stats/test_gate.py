import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from harness.stats.changes import change_points
from harness.stats.gate import Again, again, baselines, judge
from harness.stats.judgement import Judgement, Rules
from harness.stats.nights import Fresh, SeriesNights

RULES = Rules()


def suite(n: int = 30, nights: int = 20, seed: int = 1, sd: float = 0.005) -> list[SeriesNights]:
    values = 3.0 + np.random.default_rng(seed).normal(0, sd, (n, nights + 1))
    return [SeriesNights(f"s{i}", tuple((float(v),) for v in row[:-1]), float(row[-1])) for i, row in enumerate(values)]


def change(series: list[SeriesNights], at: int, do: Callable[[SeriesNights], SeriesNights]) -> list[SeriesNights]:
    return [do(s) if i == at else s for i, s in enumerate(series)]


def fresh(level: float, seed: int = 9, sd: float = 0.005) -> list[float]:
    return [level + float(v) for v in np.random.default_rng(seed).normal(0, sd, 5)]


def verdict(series: list[SeriesNights], reruns: dict[str, list[float]], name: str = "s3") -> Judgement:
    wanted = again(series, RULES)
    measured = (*wanted.suspects, *wanted.company[:8])
    found = named({n: reruns.get(n, fresh(3.0, seed=i)) for i, n in enumerate(measured)})
    return next(j for j in judge(series, found, RULES) if j.series_id == name)


def named(reruns: Mapping[str, Sequence[float]]) -> Fresh:
    return {series: {f"again {i}": v for i, v in enumerate(values)} for series, values in reruns.items()}


def test_a_slowdown_that_fresh_sessions_confirm_is_an_alarm() -> None:
    slow = change(suite(), 3, lambda s: replace(s, tonight=3.0 - 0.03))
    assert "s3" in again(slow, RULES).suspects
    found = verdict(slow, {"s3": fresh(3.0 - 0.03)})
    assert found.outcome == "SLOWER"
    assert found.low is not None
    assert found.high is not None
    assert found.low < math.exp(-0.03) < found.high < 1
    assert (found.n_nights, found.n_reruns) == (20, 5)


def test_a_bad_first_session_that_fresh_ones_do_not_confirm_is_none() -> None:
    slow = change(suite(), 3, lambda s: replace(s, tonight=3.0 - 0.08))
    found = verdict(slow, {"s3": fresh(3.0)})
    assert found.outcome == "SAME"
    assert "cleared" in found.reason


def test_one_disturbed_session_among_the_fresh_does_not_hide_or_make_a_slowdown() -> None:
    slow = change(suite(), 3, lambda s: replace(s, tonight=3.0 - 0.03))
    assert verdict(slow, {"s3": [*fresh(3.0 - 0.03)[:4], 3.0 + 0.1]}).outcome == "SLOWER"
    assert verdict(slow, {"s3": [*fresh(3.0)[:4], 3.0 - 0.2]}).outcome == "SAME"


def test_significant_but_below_the_floor_is_no_alarm() -> None:
    quiet = change(suite(sd=0.0005), 3, lambda s: replace(s, tonight=3.0 - 0.006))
    assert "s3" in again(quiet, RULES).suspects
    assert verdict(quiet, {"s3": fresh(3.0 - 0.006, sd=0.0005)}).outcome == "SAME"


def test_slower_beyond_the_floor_but_within_the_noise_is_cannot_tell() -> None:
    noisy = change(suite(sd=0.015), 3, lambda s: replace(s, tonight=3.0 - 0.04))
    found = verdict(noisy, {"s3": fresh(3.0 - 0.02, sd=0.001)})
    assert found.outcome == "CANNOT TELL"
    assert "nights differ" in found.reason


def test_a_series_too_noisy_to_show_five_percent_is_cannot_tell() -> None:
    rng = np.random.default_rng(2)
    wild = change(
        suite(), 3, lambda s: replace(s, nights=tuple((3.0 + float(v),) for v in rng.normal(0, 0.2, 20)), tonight=3.0)
    )
    found = verdict(wild, {})
    assert found.outcome == "CANNOT TELL"
    assert "5%" in found.reason


def test_a_speedup_is_told() -> None:
    fast = change(suite(), 3, lambda s: replace(s, tonight=3.0 + 0.05))
    assert verdict(fast, {}).outcome == "FASTER"


def test_without_nights_there_is_no_baseline_and_the_others_are_judged() -> None:
    new = change(suite(), 3, lambda s: replace(s, nights=s.nights[:4]))
    assert verdict(new, {}).outcome == "NO BASELINE"
    assert verdict(new, {}, "s4").outcome == "SAME"


def test_an_alarm_stays_night_after_night_until_the_level_is_accepted() -> None:
    """A slow level must not become the baseline by lasting."""

    def slowed(s: SeriesNights) -> SeriesNights:
        return replace(s, nights=(*s.nights[:12], *((v[0] - 0.05,) for v in s.nights[12:])), tonight=s.tonight - 0.05)

    lasting = change(suite(), 3, slowed)
    assert verdict(lasting, {"s3": fresh(3.0 - 0.05)}).outcome == "SLOWER"
    accepted = change(lasting, 3, lambda s: replace(s, pinned=tuple(range(12, 20))))
    assert verdict(accepted, {"s3": fresh(3.0 - 0.05)}).outcome == "SAME"


def test_a_speedup_raises_the_level_so_that_losing_it_is_an_alarm() -> None:
    def hastened(s: SeriesNights) -> SeriesNights:
        return replace(s, nights=(*s.nights[:12], *((v[0] + 0.05,) for v in s.nights[12:])))

    lost = change(suite(), 3, hastened)
    assert verdict(lost, {"s3": fresh(3.0)}).outcome == "SLOWER"


def test_a_pinned_night_is_what_tonight_is_held_against() -> None:
    drifted = change(suite(), 3, lambda s: replace(s, nights=((3.1,), *s.nights[1:]), pinned=(0,)))
    found = verdict(drifted, {"s3": fresh(3.0)})
    assert found.outcome == "SLOWER"
    assert found.n_nights == 1
    assert found.ratio == pytest.approx(math.exp(-0.1), rel=0.01)


def test_a_slowdown_of_the_whole_suite_is_found_in_all_of_it() -> None:
    slow = [replace(s, tonight=s.tonight - 0.04) for s in suite()]
    wanted = again(slow, RULES)
    reruns = named({name: fresh(3.0 - 0.04, seed=i) for i, name in enumerate([*wanted.suspects, *wanted.company[:8]])})
    found = judge(slow, reruns, RULES)
    assert sum(j.outcome == "SLOWER" for j in found) >= 28
    assert sum("all series together" in j.reason for j in found) >= 28


def test_where_rerunning_is_impossible_the_first_session_must_be_far_off() -> None:
    slow = change(suite(), 3, lambda s: replace(s, tonight=3.0 - 0.05))
    (found,) = [j for j in judge(slow, {}, RULES) if j.series_id == "s3"]
    assert found.outcome == "SLOWER"
    assert "one session" in found.reason


def test_a_suite_of_one_series_is_judged_on_its_own_nights() -> None:
    (found,) = judge(suite(1), {}, RULES)
    assert found.outcome == "SAME"
    (alarm,) = judge([replace(suite(1)[0], tonight=2.9)], named({"s0": fresh(2.9)}), RULES)
    assert alarm.outcome == "SLOWER"


def test_an_empty_suite_has_no_verdicts() -> None:
    assert judge([], {}, RULES) == ()
    assert again([], RULES) == Again()


def test_scripted_times_without_any_noise_do_not_alarm_on_rounding() -> None:
    exact = [SeriesNights(f"s{i}", tuple((3.0,) for _ in range(10)), 3.0 - 1e-5) for i in range(10)]
    assert {j.outcome for j in judge(exact, {}, RULES)} == {"SAME"}


def test_two_fresh_sessions_far_from_each_other_are_both_taken() -> None:
    slow = change(suite(), 3, lambda s: replace(s, tonight=3.0 - 0.1))
    found = verdict(slow, {"s3": [3.0 - 0.3, 3.0 + 0.1]})
    assert found.ratio == pytest.approx(math.exp(-0.1), rel=1e-2)


def test_a_step_below_the_floor_neither_begins_nor_ends_a_level() -> None:
    values = 3.0 + np.random.default_rng(5).normal(0, 0.0012, 20) - 0.004 * (np.arange(20) >= 12)
    assert [c.index for c in change_points(values.tolist())] == [12]
    nudged = change(suite(sd=0.0012), 3, lambda s: replace(s, nights=tuple((float(v),) for v in values)))
    base = baselines(nudged, RULES)[3]
    assert base is not None
    assert base.n == 20


def moody(seed: int = 4, moods: float = 0.02, sd: float = 0.003, slow: float = 0.0) -> list[SeriesNights]:
    """Twelve series whose nights have moods that all share, tonight's being one of -4 %; `slow` befalls s3 as well."""
    random = np.random.default_rng(seed)
    mood = np.append(random.normal(0, moods, 12), -0.04)
    values = 3.0 + mood + random.normal(0, sd, (12, 13))
    values[3, -1] -= slow
    return [SeriesNights(f"s{i}", tuple((float(v),) for v in row[:-1]), float(row[-1])) for i, row in enumerate(values)]


def test_a_mood_of_the_machine_that_nights_have_is_no_alarm() -> None:
    bad_night = {f"s{i}": fresh(3.0 - 0.04, seed=i, sd=0.003) for i in range(12)}
    assert {verdict(moody(), bad_night, f"s{i}").outcome for i in range(12)} <= {"SAME", "CANNOT TELL"}


def test_a_slowdown_of_one_series_is_found_in_such_a_mood() -> None:
    bad_night = {f"s{i}": fresh(3.0 - 0.04, seed=i, sd=0.003) for i in range(12)} | {"s3": fresh(3.0 - 0.07, sd=0.003)}
    found = verdict(moody(slow=0.03), bad_night)
    assert found.outcome == "SLOWER"
    assert found.ratio == pytest.approx(math.exp(-0.03), abs=0.006)
    assert "of all series together" in found.reason
    assert verdict(moody(slow=0.03), bad_night, "s4").outcome != "SLOWER"


def test_a_slow_level_of_everything_is_accepted_by_choosing_a_night_of_it() -> None:
    slow = [
        replace(s, nights=(*s.nights[:18], *((v[0] - 0.04,) for v in s.nights[18:])), tonight=s.tonight - 0.04)
        for s in suite()
    ]
    reruns = named({f"s{i}": fresh(3.0 - 0.04, seed=i) for i in range(30)})
    assert {j.outcome for j in judge(slow, reruns, RULES)} == {"SLOWER"}
    accepted = [j.outcome for j in judge([replace(s, pinned=(18, 19)) for s in slow], reruns, RULES)]
    assert "SLOWER" not in accepted
    assert accepted.count("SAME") >= 28


def test_what_slows_everything_is_no_alarm_where_the_machine_was_as_slow() -> None:
    slow = [replace(s, tonight=s.tonight - 0.04) for s in suite()]
    reruns = named({f"s{i}": fresh(3.0 - 0.04, seed=i) for i in range(30)})
    assert {j.outcome for j in judge(slow, reruns, RULES, {"": -0.01})} == {"SLOWER"}
    assert {j.outcome for j in judge(slow, reruns, RULES, {"another kind": -0.04})} == {"SLOWER"}
    doubtful = judge(slow, reruns, RULES, {"": -0.035})
    assert {j.outcome for j in doubtful} == {"CANNOT TELL"}
    assert all("so is the machine itself, by -3.4%" in j.reason for j in doubtful)


def test_a_slow_machine_excuses_no_single_series() -> None:
    slow = [replace(s, tonight=s.tonight - 0.04 - 0.04 * (s.series_id == "s3")) for s in suite()]
    reruns = named({f"s{i}": fresh(3.0 - 0.04 - 0.04 * (i == 3), seed=i) for i in range(30)})
    found = {j.series_id: j.outcome for j in judge(slow, reruns, RULES, {"": -0.04})}
    assert found.pop("s3") == "SLOWER"
    assert "SLOWER" not in found.values()


def test_kinds_of_series_have_weathers_of_their_own() -> None:
    stormy, calm = moody(), [replace(s, series_id=f"c{s.series_id}", kind="cuda:0") for s in suite(12, 12)]
    for series, judgement in zip(suite(12, 12), judge([*stormy, *calm], {}, RULES)[12:], strict=True):
        assert judgement.outcome == "SAME"
        assert judgement.ratio == pytest.approx(math.exp(series.tonight - 3.0), abs=0.006)


def test_a_fresh_session_without_company_says_nothing_of_a_suspect() -> None:
    slow = change(suite(), 3, lambda s: replace(s, tonight=3.0 - 0.03))
    (alone,) = [j for j in judge(slow, named({"s3": fresh(3.0)}), RULES) if j.series_id == "s3"]
    assert alone.n_reruns == 0


def test_company_that_scatters_tonight_makes_a_suspect_doubtful() -> None:
    """Nights before say 0.3 %; but tonight those beside the suspect are 3 % off in either direction."""
    slow = moody(slow=0.03)
    calm = {f"s{i}": [2.96] * 3 for i in range(12)} | {"s3": [2.93] * 3}
    torn = {name: [value + 0.03 * (-1) ** int(name[1:]) for value in values] for name, values in calm.items()}
    assert verdict(slow, calm).outcome == "SLOWER"
    assert verdict(slow, torn | {"s3": calm["s3"]}).outcome != "SLOWER"
