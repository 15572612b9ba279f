"""Which cases are measured again: the suspects', and of each suspect's kind enough others to tell the weather by."""

from types import SimpleNamespace
from typing import Any, cast

from harness.cli.evidence import Evidence
from harness.cli.rerun import COMPANY_WANTED, chosen_cases
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
