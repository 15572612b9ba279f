"""Rates as github-action-benchmark's `customBiggerIsBetter`: one entry per measurement, named for good.

The name must not change from night to night, for the action's chart is by name; so it holds no commit and no date.
"""

import json
from collections.abc import Iterable

from harness.records.record import Record
from harness.store.llama_bench_rows import FlatRow, flatten, variant
from harness.store.measures import row_label


def bigger_is_better(records: Iterable[Record]) -> str:
    """A JSON array of name, unit, value, range and extra."""
    entries = [
        _entry(record, label, flat)
        for record in records
        for label, flat in zip(_labels(record), flatten([record]), strict=True)
    ]
    return json.dumps(entries, indent=1, ensure_ascii=False) + "\n"


def _labels(record: Record) -> list[str]:
    if record.status != "ok":
        return []
    kind = record.case.test.kind
    return [row_label(kind, row) for row in record.rows if row.counted and row.n_prompt + row.n_gen]


def _entry(record: Record, label: str, row: FlatRow) -> dict[str, object]:
    axes = record.case.axes
    name = " ".join(filter(None, (record.case.model.label, axes.engine, axes.device, label, variant(axes))))
    return {
        "name": name,
        "unit": "t/s",
        "value": row.fields["avg_ts"],
        "range": f"± {row.fields['stddev_ts']:.2f}",
        "extra": f"{row.fields['build_commit']}, {len(row.samples_ns)} samples, {row.fields['cpu_info']}",
    }
