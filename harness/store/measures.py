"""What a record contributes to the series it belongs to: one value per metric and test, one session each.

A series is one model, device class, test and point of the matrix over time; commits, builds and runs are what varies
along it. Repetitions inside a session are averaged here and never counted as evidence of their own.
"""

import dataclasses
import hashlib
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.records.case import Test, TestKind
from harness.records.history import PointState
from harness.records.record import Record
from harness.records.timing import Row

METRICS = {
    "pp": ("t/s", True),
    "tg": ("t/s", True),
    "pg": ("t/s", True),
    "load": ("s", False),
    "start": ("s", False),
    "ttft": ("s", False),
    "rss": ("MiB", False),
    "vram": ("MiB", False),
    "energy": ("J/token", False),
}
"""Every metric's unit, and whether more is better. load: of a load test; start: the load of any other case."""


BETTER = 0.1
"""The share of the samples that are better than a session's level."""


@dataclass(frozen=True)
class SeriesKey:
    """What stays the same along a series. `axes` holds the axes' values by their YAML names."""

    model: str
    engine: str
    device: str
    device_class: str
    test: str
    metric: str
    axes: Mapping[str, object]

    @property
    def series_id(self) -> str:
        """Sixteen hex digits, the same on every machine."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def metric_note(self) -> str:
        """The metric, where the test's name does not say it."""
        return "" if self.metric in {"pp", "tg", "pg"} or self.test == self.metric else self.metric

    @property
    def unit(self) -> str:
        return METRICS[self.metric][0]

    @property
    def higher_is_better(self) -> bool:
        return METRICS[self.metric][1]


@dataclass(frozen=True)
class Measure:
    """One session's mean in the series' unit, its level, its samples' standard deviation and number; None for no value.

    The mean is what llama-bench and the reports show. The level is what sessions are compared by: the value that the
    better tenth of the samples reach. Neighbours and schedulers only ever slow a sample down, a slower program slows
    the best ones too.
    """

    key: SeriesKey
    value: float | None
    level: float | None = None
    sd: float | None = None
    n_samples: int = 0
    state: PointState = "ok"
    note: str = ""


def measures(record: Record) -> tuple[Measure, ...]:
    """Every metric of a record. A record that is not ok gives the metrics its test would have had, without values."""
    if record.status != "ok":
        state: PointState = "invalid" if record.status == "invalid" else "failed"
        why = f"{record.status}: {record.error.message}" if record.error else record.status
        return tuple(
            Measure(_key(record, label, metric), None, state=state, note=why) for label, metric in _due(record)
        )
    rows = (made for row in record.rows for made in _row(record, row))
    return (*rows, *_whole_case(record))


def metric_of(n_prompt: int, n_gen: int) -> str:
    """The metric a row's rate belongs to."""
    if n_prompt and n_gen:
        return "pg"
    if n_prompt:
        return "pp"
    return "tg" if n_gen else "load"


def row_label(kind: TestKind, row: Row) -> str:
    """The name of a row's test. A row of a sweep shares its process with others, so it is no row of a test alone."""
    return f"{row.test} in a sweep" if kind == "sweep" else row.test


def timed(record: Record, row: Row) -> SeriesKey:
    """The series that a row's times belong to."""
    return _key(record, row_label(record.case.test.kind, row), metric_of(row.n_prompt, row.n_gen))


def _row(record: Record, row: Row) -> Iterator[Measure]:
    label = row_label(record.case.test.kind, row)
    counted = row.counted
    tokens = row.n_prompt + row.n_gen
    if not counted or not tokens:
        return
    state: PointState = "imported" if record.imported_from else _state(counted[0].state)
    rates = [tokens * 1e9 / sample.total_ns for sample in counted if sample.total_ns > 0]
    if rates:
        yield _measure(timed(record, row), rates, state)
    joules = [sample.energy_j / tokens for sample in counted if sample.energy_j is not None]
    if len(joules) == len(counted):
        yield _measure(_key(record, label, "energy"), joules, state)


def _whole_case(record: Record) -> Iterator[Measure]:
    label = record.case.test.label
    state: PointState = "imported" if record.imported_from else "ok"
    if record.load_ns:
        metric = "load" if record.case.test.kind == "load" else "start"
        yield _measure(_key(record, label, metric), [ns / 1e9 for ns in record.load_ns], state)
    for metric, value, scale in (
        ("ttft", record.ttft_ns, 1e9),
        ("rss", record.rss_peak_bytes, 2**20),
        ("vram", record.vram_peak_bytes, 2**20),
    ):
        if value is not None:
            yield _measure(_key(record, label, metric), [value / scale], state)


def _measure(key: SeriesKey, values: Sequence[float], state: PointState) -> Measure:
    sd = statistics.stdev(values) if len(values) > 1 else None
    level = float(np.quantile(values, 1 - BETTER if key.higher_is_better else BETTER))
    return Measure(key, statistics.fmean(values), level, sd, len(values), state)


def _key(record: Record, test: str, metric: str) -> SeriesKey:
    axes = dataclasses.asdict(record.case.axes)
    engine, device = str(axes.pop("engine")), str(axes.pop("device"))
    axes["threads"] = axes["threads"] or record.fingerprint.n_cores
    model = record.case.model.label
    return SeriesKey(model, engine, device, record.fingerprint.device_class, test, metric, axes)


def _due(record: Record) -> Iterator[tuple[str, str]]:
    """The rows a case's test asks for: label and metric."""
    test = record.case.test
    if test.kind == "load":
        yield test.label, "load"
        return
    for n_prompt, n_gen in _halves(test):
        for depth in test.depths:
            yield row_label(test.kind, Row(n_prompt, n_gen, depth, ())), metric_of(n_prompt, n_gen)


def _halves(test: Test) -> tuple[tuple[int, int], ...]:
    if test.kind == "sweep":
        return (0, test.n_gen), (test.n_prompt, 0)
    return ((test.n_prompt, test.n_gen),)


def _state(sample_state: str) -> PointState:
    return "contended" if sample_state == "contended" else "throttled" if sample_state == "throttled" else "ok"
