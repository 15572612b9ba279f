"""Results as a table: one row per measurement under llama-bench's field names, and one per case that has none.

Rates are of counted samples only; a case that failed, or is INVALID, has a row that says so and no rate.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from harness.records.record import Record
from harness.records.timing import Row
from harness.stats.interval import mean_interval
from harness.store.llama_bench_rows import record_fields, summary
from harness.store.runs import read_run

CONFIDENCE = 0.95


def load(run: str | Path, results: Path = Path("results")) -> pd.DataFrame:
    """The measurements of a run folder, or of the run of that name below `results`. Errors: ResultError."""
    return frame(read_run(run, results).records)


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """The measurements of `records`, in order. Columns: see `_case_columns` and `_row_columns`."""
    return pd.DataFrame(
        [_case_columns(record) | _row_columns(record, row) for record in records for row in record.rows or (None,)]
    )


def _case_columns(record: Record) -> dict[str, Any]:
    """What all rows of a case share; `load_*_ns` are phases of the median load."""
    phases = record.load.phase_ns if record.load is not None else {}
    return {
        "run": record.run,
        "config": record.case.config,
        "comparison": record.case.comparison,
        "status": record.status,
        "error": record.error.message if record.error else "",
        "model": record.case.model.label,
        **record_fields(record),
        "equivalence": record.equivalence.verdict,
        "device_class": record.fingerprint.device_class,
        "load_ns": _median(record.load_ns),
        **{f"load_{phase}_ns": spent for phase, spent in phases.items()},
        "ttft_ns": record.ttft_ns,
        "rss_peak_bytes": record.rss_peak_bytes,
        "vram_peak_bytes": record.vram_peak_bytes,
        "test_time": record.test_time,
    }


def _row_columns(record: Record, row: Row | None) -> dict[str, Any]:
    """What is a row's own. `ts_low`, `ts_high`: the 95 % interval of the mean rate, open for a single sample."""
    if row is None:
        return {"test": record.case.test.label, "n_samples": 0}
    counted = row.counted if record.status != "invalid" else ()
    times = tuple(sample.total_ns for sample in counted)
    n_tokens = row.n_prompt + row.n_gen
    rates = tuple(n_tokens * 1e9 / time for time in times) if n_tokens else ()
    joules = [sample.energy_j for sample in counted if sample.energy_j is not None]
    return {
        "test": row.test,
        "n_prompt": row.n_prompt,
        "n_gen": row.n_gen,
        "n_depth": row.n_depth,
        "n_samples": len(counted),
        "n_excluded": len(row.samples) - len(counted),
        "stopped_by": row.stopped_by,
        **_rates(rates, times),
        "joules_per_token": sum(joules) / len(joules) / n_tokens if joules and n_tokens else None,
        "macs_per_token": row.macs_per_token,
        "bytes_per_token": row.bytes_per_token,
        "samples_ns": times,
        "samples_ts": rates,
    }


def _rates(rates: tuple[float, ...], times: tuple[int, ...]) -> Mapping[str, Any]:
    if not times:
        return {}
    if not rates:
        return {"avg_ns": round(fmean(times)), "stddev_ns": round(stdev(times)) if len(times) > 1 else 0}
    interval = mean_interval(rates, CONFIDENCE)
    return {**summary(rates, times), "ts_low": interval.low, "ts_high": interval.high}


def _median(values: tuple[int, ...]) -> int | None:
    return sorted(values)[len(values) // 2] if values else None
