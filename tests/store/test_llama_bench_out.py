import csv
import io
import json
import sqlite3
from collections.abc import Iterable
from typing import Any

import pytest
from made_records import record, row, stand_in_record, sweep_record

from harness.errors import ResultError
from harness.records.axes import Axes
from harness.records.record import Failure, Record
from harness.records.timing import Row
from harness.store.llama_bench_fields import EXPORT_FIELDS
from harness.store.llama_bench_out import render


def rows_of(records: Iterable[Record], form: str) -> list[dict[str, Any]]:
    text = render(records, form)
    if form == "json":
        return json.loads(text)
    if form == "jsonl":
        return [json.loads(line) for line in text.splitlines()]
    if form == "csv":
        return list(csv.DictReader(io.StringIO(text)))
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    database.executescript(text)
    return [dict(r) for r in database.execute("SELECT * FROM llama_bench")]


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "sql"])
def test_a_row_has_llama_benchs_names_and_figures(form: str) -> None:
    (got,) = rows_of([record()], form)
    assert int(got["n_prompt"]) == 512
    assert int(got["n_gen"]) == 0
    assert int(got["avg_ns"]) == 11_000_000
    assert int(got["stddev_ns"]) == 1_000_000
    rates = [512e9 / ns for ns in (10e6, 11e6, 12e6)]
    assert float(got["avg_ts"]) == pytest.approx(sum(rates) / 3, rel=1e-9)
    assert got["test_time"] == "2026-01-01T02:03:04Z"
    assert got["model_type"] == "gpt-oss 20B MXFP4"
    assert set(EXPORT_FIELDS) <= set(got)


def test_json_keeps_every_repetition_in_time_and_rate() -> None:
    (got,) = rows_of([record()], "json")
    assert got["samples_ns"] == [10_000_000, 11_000_000, 12_000_000]
    assert got["samples_ts"] == pytest.approx([51200, 46545.5, 42666.7])


def test_one_repetition_has_no_spread() -> None:
    (got,) = rows_of([record([row(n_gen=128, times_ms=(5.0,))], kind="tg")], "json")
    assert got["stddev_ns"] == 0
    assert got["stddev_ts"] == 0


def test_a_failed_or_invalid_case_has_no_row() -> None:
    failed = record(status="failed", error=Failure(kind="EngineError", message="no"))
    assert rows_of([failed, record(status="invalid")], "json") == []


def test_samples_that_do_not_count_do_not_count() -> None:
    good = row(n_prompt=512, times_ms=(10.0,)).samples + row(n_prompt=512, times_ms=(99.0,), state="warmup").samples
    (got,) = rows_of([record([Row(512, 0, 0, good)])], "json")
    assert got["samples_ns"] == [10_000_000]


def test_a_load_test_has_no_llama_bench_row() -> None:
    assert rows_of([record([row()], kind="load")], "jsonl") == []


def test_a_stand_in_is_never_shown_as_the_real_model() -> None:
    for form in ("json", "csv", "sql"):
        (got,) = rows_of([stand_in_record()], form)
        assert "stand-in" in got["model_type"]
    assert "stand-in" in render([stand_in_record()], "md")


def test_no_field_is_null_because_readers_join_on_equality() -> None:
    for form in ("json", "jsonl", "sql"):
        for got in rows_of([record(), sweep_record()], form):
            assert None not in got.values()


def test_text_with_quotes_survives_sql_csv_and_json() -> None:
    nasty = 'O\'Brien "x"; DROP TABLE llama_bench;--,\n|'
    made = record()
    load = made.load.__class__(**{**made.load.__dict__, "model_type": nasty})
    for form in ("json", "csv", "sql"):
        (got,) = rows_of([record(load=load)], form)
        assert got["model_type"] == nasty
    table = render([record(load=load)], "md").splitlines()
    assert len(table) == 5
    assert table[2].replace("\\|", "").count("|") == table[0].count("|")


def test_spreadsheet_formulas_are_guarded_when_asked() -> None:
    made = record()
    load = made.load.__class__(**{**made.load.__dict__, "model_type": "=cmd|'/c calc'!A1"})
    plain = render([record(load=load)], "csv")
    guarded = render([record(load=load)], "csv", guard_formulas=True)
    assert '"=cmd' in plain
    assert "\"'=cmd" in guarded
    assert '"=' not in guarded


def test_markdown_looks_like_llama_benchs() -> None:
    lines = render([record()], "md").splitlines()
    assert [c.strip() for c in lines[0].split("|")[1:-1]] == [
        *("model", "size", "params", "backend", "threads", "test", "t/s")
    ]
    cells = [c.strip() for c in lines[2].split("|")[1:-1]]
    assert cells[0] == "gpt-oss 20B MXFP4"
    assert cells[1:3] == ["11.28 GiB", "20.91 B"]
    assert cells[5] == "pp512"
    assert cells[6] == "46804.04 ± 4272.54"
    assert lines[-1] == "build: 0123abcd (7)"


def test_markdown_shows_a_column_for_what_differs() -> None:
    merged = record(axes=Axes(threads=2, merge_up_gate=True))
    head = render([record(), merged], "md").splitlines()[0]
    assert "muge" in head
    assert "fmoe" not in head


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ResultError, match="json, jsonl, csv, md, sql"):
        render([record()], "xml")
