import contextlib

import pytest
from ages import AGES, FORMATS, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ResultError
from harness.records.json import from_json, to_json
from harness.records.record import Record
from harness.store.imports import read_results
from harness.store.llama_bench_out import render

SEEDS = [form(age, rows(age)).encode() for age in AGES.values() for form in FORMATS.values()]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 40))] = draw(
            st.binary(max_size=12) | st.sampled_from([b"'", b'"', b"|", b"}", b"nan", b"\\ud800", b"9" * 30])
        )
    return bytes(data)


@settings(max_examples=500, deadline=None)
@given(damaged() | st.binary(max_size=400))
def test_any_damage_ends_in_records_that_can_be_exported_or_in_a_result_error(data: bytes) -> None:
    with contextlib.suppress(ResultError):
        records = read_results(data, "fuzz").records
        for form in ("json", "jsonl", "csv", "md", "sql"):
            render(records, form).encode()
        for record in records:
            assert from_json(Record, to_json(record).encode()) == record


@pytest.mark.parametrize("form", ["json", "csv", "sql", "md"])
def test_hostile_names_stay_text(form: str) -> None:
    name = "<script>alert(1)</script>\x1b[31m'; DROP TABLE x;--"
    age = AGES["mainline 2026-07"]
    records = read_results(FORMATS["jsonl"](age, rows(age, model_type=name)).encode(), "f").records
    assert len(read_results(render(records, form).encode(), "g").records) == 2
