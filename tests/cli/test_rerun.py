"""Which cases are measured again: the suspects', and of each suspect's kind enough others to tell the weather by."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.cli.evidence import Evidence
from harness.cli.rerun import COMPANY_WANTED, SAMPLE_WANTED, baseline_commits, chosen_cases
from harness.errors import RunError
from harness.stats.gate import Again


def case(name: str, comparison: str = "") -> Any:
    return SimpleNamespace(case_id=name, comparison=comparison)


def track(series: str, case_id: str, metric: str) -> Any:
    key = SimpleNamespace(series_id=series, metric=metric, device="cpu:0")
    return SimpleNamespace(key=key, tonight=SimpleNamespace(case_id=case_id))


def names(tracks: list[Any], wanted: Again, cases: list[Any]) -> list[str]:
    return [one.case_id for one in chosen_cases(cast("Evidence", SimpleNamespace(tracks=tracks)), wanted, cases)]


def test_a_suspect_brings_its_opponents_and_company_of_its_kind_alone() -> None:
    tracks = [track(f"pp{i}", f"case pp{i}", "pp") for i in range(20)] + [
        track(f"tg{i}", f"case tg{i}", "tg") for i in range(20)
    ]
    cases = [case(t.tonight.case_id, "pair" if t.key.series_id in ("pp0", "tg9") else "") for t in tracks]
    company = tuple(t.key.series_id for t in reversed(tracks) if t.key.series_id != "pp0")
    found = names(tracks, Again(("pp0",), company), cases)
    assert {"case pp0", "case tg9"} <= set(found)
    beside = [name for name in found if name not in ("case pp0", "case tg9")]
    assert len(beside) == COMPANY_WANTED
    assert all(name.startswith("case pp") for name in beside)


def test_what_comes_along_counts_as_company() -> None:
    tracks = [track(f"row {i}", "sweep", "pp") for i in range(COMPANY_WANTED + 1)] + [track("other", "other", "pp")]
    company = tuple(f"row {i}" for i in range(1, COMPANY_WANTED + 1))
    assert names(tracks, Again(("row 0",), (*company, "other")), [case("sweep"), case("other")]) == ["sweep"]


def test_weather_alone_is_looked_at_through_some_of_every_kind() -> None:
    tracks = [track(f"{metric}{i}", f"{metric}{i}", metric) for metric in ("pp", "tg") for i in range(10)]
    found = names(tracks, Again((), tuple(t.key.series_id for t in tracks)), [case(t.tonight.case_id) for t in tracks])
    assert len(found) == 2 * COMPANY_WANTED


def evidence_of(tracks: list[Any], commits: list[str]) -> Evidence:
    nights = [SimpleNamespace(run=f"n{i}", harness_commit=commit) for i, commit in enumerate(commits)]
    tonight = SimpleNamespace(run="tonight", harness_commit="ffff")
    return cast("Evidence", SimpleNamespace(tracks=tracks, nights=tuple(nights), run=tonight))


def test_a_case_takes_turns_with_the_build_of_the_oldest_night_that_one_of_its_series_is_held_against() -> None:
    tracks = [track("row 0", "sweep", "pp"), track("row 1", "sweep", "pp"), track("tg", "tg case", "tg")]
    evidence = evidence_of(tracks, ["aaaa", "bbbb", "cccc"])
    held_against = {"row 0": "n2", "row 1": "n1", "tg": "n2"}
    assert baseline_commits(evidence, Again(("row 0", "tg")), held_against) == {"sweep": "cccc", "tg case": "cccc"}
    assert baseline_commits(evidence, Again(("row 1", "row 0")), held_against) == {"sweep": "bbbb"}


def test_some_of_a_kind_that_is_slow_as_a_whole_meet_the_build_from_before() -> None:
    tracks = [track(f"{metric}{i}", f"{metric}{i}", metric) for metric in ("pp", "tg") for i in range(10)]
    held_against = {t.key.series_id: "n1" for t in tracks} | {"pp on cpu:0": "n0", "tg on cpu:0": "n1"}
    company = tuple(t.key.series_id for t in tracks)
    found = baseline_commits(evidence_of(tracks, ["aaaa", "bbbb"]), Again((), company, ("pp on cpu:0",)), held_against)
    assert found == {f"pp{i}": "aaaa" for i in range(SAMPLE_WANTED)}


@pytest.mark.parametrize("commit", ["", "aaaa-dirty"])
def test_a_night_of_no_commit_has_no_build(commit: str) -> None:
    evidence = evidence_of([track("pp", "pp", "pp")], [commit])
    with pytest.raises(RunError, match="cannot be built"):
        baseline_commits(evidence, Again(("pp",)), {"pp": "n0"})
