"""Samples as speeds: the mean of a measurement with its interval. A case that is not `ok` has no speed, ever."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.records.record import Record
from harness.records.timing import Row, Sample
from harness.stats.interval import mean_interval

Phase = Literal["pp", "tg", "pg"]

PHASES: tuple[Phase, ...] = ("pp", "tg")
"""Those that are drawn against depth."""

PHASE_NAME: dict[Phase, str] = {"pp": "PP", "tg": "TG", "pg": "PP+TG"}


@dataclass(frozen=True)
class Speed:
    """`tokens_per_s` and `seconds` are means over the counted samples; `low` and `high` None with a single one."""

    phase: Phase
    row: Row
    tokens_per_s: float
    seconds: float
    low: float | None
    high: float | None
    n_samples: int
    run: str = ""

    @property
    def depth(self) -> int:
        """Tokens already in the KV cache: N_KV."""
        return self.row.n_depth

    @property
    def disturbed(self) -> bool:
        """Whether only disturbed samples could be had: a figure to see, not to compare."""
        return any(sample.state != "ok" for sample in counted(self.row))


def is_valid(record: Record) -> bool:
    """Whether the record's times may be shown as speed."""
    return record.status == "ok" and record.equivalence.verdict != "INVALID"


def phase_of(row: Row) -> Phase | None:
    """Which phase a measurement timed; None for a load."""
    if row.n_prompt and row.n_gen:
        return "pg"
    if row.n_prompt:
        return "pp"
    return "tg" if row.n_gen else None


def speed_of(row: Row, run: str = "") -> Speed | None:
    """The speed of one measurement; None without a counted sample of tokens."""
    phase, samples = phase_of(row), counted(row)
    if phase is None or not samples:
        return None
    rates = mean_interval([sample.n_tokens * 1e9 / sample.total_ns for sample in samples])
    known = math.isfinite(rates.low)
    return Speed(
        phase=phase,
        row=row,
        tokens_per_s=rates.mean,
        seconds=sum(sample.total_ns for sample in samples) / len(samples) / 1e9,
        low=rates.low if known else None,
        high=rates.high if known else None,
        n_samples=len(samples),
        run=run,
    )


def counted(row: Row) -> tuple[Sample, ...]:
    """The samples that count and can be divided by."""
    return tuple(sample for sample in row.counted if sample.total_ns > 0 and sample.n_tokens > 0)


def same_rounds(base: Row, other: Row) -> tuple[tuple[Sample, Sample], ...]:
    """The samples of two sides that took turns, paired by round; rounds that something disturbed are left out."""
    pairs = zip(base.samples, other.samples, strict=False)
    return tuple((a, b) for a, b in pairs if a.state == b.state == "ok" and a.total_ns > 0 and b.total_ns > 0)


def speeds(records: Iterable[Record]) -> tuple[Speed, ...]:
    """Every speed of the valid records, in the order measured."""
    found = (speed_of(row, record.run) for record in records if is_valid(record) for row in record.rows)
    return tuple(speed for speed in found if speed is not None)


def curve(records: Sequence[Record], phase: Phase) -> tuple[Speed, ...]:
    """One phase against depth: a sweep's rows if there is a sweep, else those of the plain tests; depths ascend."""
    sweeps = [record for record in records if record.case.test.kind == "sweep"]
    chosen = [speed for speed in speeds(sweeps) or speeds(records) if speed.phase == phase]
    if not chosen:
        return ()
    work = _work(chosen[0])
    by_depth = {speed.depth: speed for speed in chosen if _work(speed) == work}
    return tuple(by_depth[depth] for depth in sorted(by_depth))


def _work(speed: Speed) -> tuple[int, int]:
    return speed.row.n_prompt, speed.row.n_gen


def load_times(records: Iterable[Record]) -> tuple[int, ...]:
    """Nanoseconds to the first logits of every load. Tests that took turns in one worker share its loads: once each."""
    loads = dict.fromkeys(record.load_ns for record in records if is_valid(record))
    return tuple(ns for times in loads for ns in times)
