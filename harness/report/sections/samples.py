"""Every sample behind a disclosure, those that did not count included, so that each mean can be made again."""

from collections.abc import Sequence

from harness.records.record import Record
from harness.records.timing import Sample
from harness.report import numbers
from harness.report.blocks import Fold, Section
from harness.report.sections.outcome import outcome
from harness.report.speeds import is_valid
from harness.report.table import Cell, Column, Table, Tone, nothing, number, words
from harness.report.variants import Group

TONES: dict[str, Tone] = {"ok": "", "warmup": "quiet", "contended": "warn", "throttled": "warn", "invalid": "bad"}
HEADS = ("test", "start s", "time s", "t/s", "state", "other CPU", "MHz", "J")


def section(found: Sequence[Group]) -> Section | None:
    """One fold per case that ran; one that failed shows times and no speed, one that is INVALID nothing."""
    every = [(group, record) for group in found for records in group.records for record in records]
    shown = [(group, record) for group, record in every if record.rows and outcome(record) != "INVALID"]
    folds = tuple(_fold(f"samples-{number}", group, record) for number, (group, record) in enumerate(shown))
    return Section("samples", "Every sample", "Samples", folds) if folds else None


def _fold(key: str, group: Group, record: Record) -> Fold:
    samples = [(row.test, sample) for row in record.rows for sample in row.samples]
    start = min((sample.start_ns for _, sample in samples), default=0)
    columns = tuple(Column(head, "text" if head in {"test", "state"} else "number") for head in HEADS)
    valid = is_valid(record)
    rows = tuple(_cells(test, sample, start, valid=valid) for test, sample in samples)
    failed = "" if valid else f", {record.status}: no speed"
    title = f"{record.case.model.label}, {_label(group, record)}, {record.case.test.label}: {len(rows)} samples{failed}"
    return Fold(title, (Table(key, title, columns, rows),))


def _label(group: Group, record: Record) -> str:
    return next(
        v.label for v, records in zip(group.variants, group.records, strict=True) if any(r is record for r in records)
    )


def _cells(test: str, sample: Sample, start_ns: int, *, valid: bool) -> tuple[Cell, ...]:
    rate = sample.n_tokens * 1e9 / sample.total_ns if valid and sample.total_ns > 0 else None
    after = (sample.start_ns - start_ns) / 1e9
    foreign, mhz, energy = sample.contention.foreign_cpu, sample.contention.mean_mhz, sample.energy_j
    return (
        words(test),
        number(after, numbers.fixed(after, 1)),
        number(sample.total_ns / 1e9, numbers.fixed(sample.total_ns / 1e9, 4)),
        nothing() if rate is None else number(rate, numbers.rate(rate)),
        words(sample.state, TONES.get(sample.state, "warn")),
        nothing() if foreign is None else number(foreign, numbers.percent(foreign)),
        nothing() if mhz is None else number(mhz, numbers.fixed(mhz, 0)),
        nothing() if energy is None else number(energy, numbers.significant(energy)),
    )
