"""A nightly history of any size: noise by session, a step here and there."""

from dataclasses import replace
from random import Random
from typing import TypeVar

from harness.records.history import ChangePoint, Commit, History, HistoryPoint, Series, SeriesVerdict

T = TypeVar("T")

VERDICTS: tuple[SeriesVerdict, ...] = ("SAME", "SAME", "SLOWER", "SAME", "CANNOT TELL", "FASTER", "SAME", "NO BASELINE")


def commit(night: int) -> str:
    return f"{0x4BE91C2F00 + night * 7919:010x}"


def series(number: int, n_points: int) -> Series:
    rng = Random(number)
    verdict = VERDICTS[number % len(VERDICTS)]
    step = {"SLOWER": 0.95, "FASTER": 1.04}.get(verdict, 1.0)
    at = n_points * 3 // 4
    base = rng.uniform(20, 8000)
    points = []
    for night in range(n_points):
        value = base * (step if night >= at else 1) * rng.gauss(1, 0.004)
        lost = rng.random() < 0.01
        state = "failed" if lost else "contended" if rng.random() < 0.02 else "ok"
        measured = (None, None, None) if lost else (value, value * 0.996, value * 1.004)
        date = f"2026-{1 + night // 28 % 12:02}-{1 + night % 28:02}T03:00:00Z"
        points.append(HistoryPoint(f"run-{night}", date, commit(night), *measured, 0 if lost else 6, state))
    change = ChangePoint(at, step, step * 0.995, step * 1.005, commit(at - 1), commit(at), 0.001, confirmed=True)
    known = verdict != "NO BASELINE"
    return Series(
        series_id=f"{number:016x}",
        model=("gpt-oss-20b", "qwen3-30b-a3b", "smollm2-moe")[number % 3],
        device=("cpu:0", "cuda:0")[number % 2],
        test=("pp512", "tg128", "pp2048 @ d4096")[number // 2 % 3],
        variant=("merge off", "merge on")[number // 6 % 2],
        metric="pp" if number // 2 % 3 != 1 else "tg",
        unit="t/s",
        points=tuple(points),
        changes=(change,) if step != 1 else (),
        verdict=verdict,
        ratio=step if known else None,
        low=step - 0.005 if known else None,
        high=step + 0.005 if known else None,
        baseline=commit(0) if known else "",
    )


def history(n_series: int = 24, n_points: int = 40) -> History:
    commits = tuple(
        Commit(commit(n), f"2026-01-{1 + n % 28:02}T03:00:00Z", f"Change number {n}") for n in range(n_points)
    )
    return History("nightly", "2026-03-05T03:00:00Z", tuple(series(n, n_points) for n in range(n_series)), commits)


def replaced(record: T, **changes: object) -> T:
    """A copy with other values."""
    return replace(record, **changes)  # type: ignore[type-var]
