import json
from dataclasses import replace
from pathlib import Path

import pytest
from ages import AGES, FORMATS, Age, as_csv, as_json, as_jsonl, as_md, as_sql, rows

from harness.errors import ResultError
from harness.records.record import Record
from harness.store.imports import Imported, read_results, store_import
from harness.store.llama_bench_out import render
from harness.store.runs import read_run

NEW = AGES["mainline 2026-07"]
IK = AGES["ik 2026-05"]
EVERY = [(age, form) for age in AGES for form in FORMATS]


def read(text: str) -> Imported:
    return read_results(text.encode(), "file")


def one(text: str) -> Record:
    (record,) = read(text).records
    return record


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_every_age_and_format_is_read_whole(name: str, form: str) -> None:
    age = AGES[name]
    imported = read(FORMATS[form](age, rows(age)))
    assert imported.warnings == ()
    prefill, decode = imported.records
    assert [r.rows[0].test for r in (prefill, decode)] == ["pp512", "tg128"]
    for record, tokens, mean_ns in ((prefill, 512, 101_000_000), (decode, 128, 905_000_000)):
        mean = sum(s.total_ns for s in record.rows[0].samples) / len(record.rows[0].samples)
        assert mean == pytest.approx(mean_ns, rel=1e-3)
        assert record.rows[0].samples[0].n_tokens == tokens
        assert record.imported_from == "file"
        assert record.build_commit == "9f3c1d20"
        assert record.case.axes.device == "cuda:0"
        assert record.load is not None
        assert record.load.model_size == pytest.approx(12109566624, rel=1e-3)
    assert prefill.case.axes.merge_up_gate == ("muge" in age.fields)


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_what_was_imported_comes_back_the_same_in_every_format(name: str, form: str) -> None:
    age = AGES[name]
    first = read(FORMATS[form](age, rows(age))).records
    again = read(render(first, form)).records
    assert len(again) == len(first)
    for before, after in zip(first, again, strict=True):
        assert after.rows == before.rows
        assert after.case.axes == before.case.axes
        assert after.case.test == before.case.test
        assert after.case.model == before.case.model or form == "md"
        known = {k: v for k, v in before.foreign.items() if form != "md" or k in after.foreign}
        assert {k: after.foreign.get(k) for k in known} == known


def test_json_keeps_the_repetitions_and_summaries_do_not_invent_any() -> None:
    whole = one(as_json(NEW, rows(NEW)[:1]))
    assert [s.total_ns for s in whole.rows[0].samples] == [101_000_000, 100_000_000, 102_000_000]
    short = one(as_csv(NEW, rows(NEW)[:1]))
    (only,) = short.rows[0].samples
    assert 512e9 / only.total_ns == pytest.approx(sum(512e9 / ns for ns in (101e6, 100e6, 102e6)) / 3, rel=1e-6)
    assert short.rows[0].stopped_by == "imported summary"
    (exported,) = json.loads(render([short], "json"))
    assert exported["samples_ns"] == []
    assert exported["stddev_ns"] == 1_000_000


def test_unknown_fields_are_kept_and_missing_ones_do_no_harm() -> None:
    strange = replace_fields(NEW, [*NEW.fields, "speculative_draft"])
    made = rows(strange, speculative_draft="on")[:1]
    assert one(as_json(strange, made)).foreign["speculative_draft"] == "on"
    assert "speculative_draft" in render([one(as_csv(strange, made))], "csv")
    few = replace_fields(NEW, ["build_commit", "model_type", "n_prompt", "n_gen", "avg_ts"])
    record = one(as_csv(few, rows(NEW)[:1]))
    assert record.rows[0].samples[0].total_ns == pytest.approx(101e6, rel=1e-3)
    assert record.case.axes.type_k == "f16"


def test_tg_behind_an_untimed_prompt_is_tg_at_that_depth_not_a_mixed_test() -> None:
    """ik_llama.cpp's -gp: n_prompt is set but neither timed nor counted."""
    made = rows(IK, n_prompt="512", n_gen="128", test="tg128@pp512")[1:]
    labelled = one(as_json(IK, made))
    unlabelled = one(as_json(replace_fields(IK, IK.fields[:-1]), made))
    for record in (labelled, unlabelled):
        assert (record.rows[0].n_prompt, record.rows[0].n_gen, record.rows[0].n_depth) == (0, 128, 512)
        assert record.rows[0].samples[0].n_tokens == 128


def test_a_mixed_test_counts_both_halves() -> None:
    made = rows(NEW, n_prompt="512", n_gen="128")[:1]
    made[0]["samples_ts"] = [640e9 / ns for ns in (101_000_000, 100_000_000, 102_000_000)]
    made[0]["avg_ts"] = "6336.6"
    record = one(as_json(NEW, made))
    assert record.case.test.kind == "pg"
    assert record.rows[0].test == "pp512+tg128"


@pytest.mark.parametrize("cut", range(40, 1700, 83))
def test_a_file_cut_off_anywhere_gives_its_whole_rows_and_says_so(cut: int) -> None:
    text = as_json(NEW, rows(NEW))
    start = text.index("},") + 2
    imported = read(text[: min(start + cut, len(text) - 6)])
    assert imported.records[0].rows[0].test == "pp512"
    assert len(imported.records) == 2 or imported.warnings


def test_a_row_cut_off_in_its_samples_keeps_its_summary() -> None:
    text = as_json(NEW, rows(NEW)[:1])
    record = one(text[: text.index('"samples_ns"') + 40])
    assert record.rows[0].stopped_by == "imported summary"
    assert record.rows[0].samples[0].total_ns == pytest.approx(101_000_000, rel=1e-3)


def test_unescaped_quotes_are_read_as_text_in_every_format() -> None:
    made = rows(NEW, cpu_info='Intel "Xeon" CPU', model_type="O'Neil's 7B")
    texts = [
        as_json(NEW, made).replace('\\"', '"'),
        as_jsonl(NEW, made).replace('\\"', '"'),
        as_csv(NEW, made, escape=False),
        as_csv(NEW, made),
        as_sql(NEW, made),
    ]
    for text in texts:
        records = read(text).records
        assert len(records) == 2
        assert all(r.fingerprint.cpu_info == 'Intel "Xeon" CPU' for r in records)
        assert all(r.case.model.name == "O'Neil's 7B" for r in records)


def test_sql_is_parsed_and_never_executed() -> None:
    evil = as_sql(NEW, rows(NEW)[:1]) + "DROP TABLE llama_bench;\nATTACH DATABASE 'x.db' AS x;\n"
    assert len(read(evil).records) == 1
    inside = rows(NEW, model_type="x\nINSERT INTO llama_bench (n_prompt, n_gen, avg_ts) VALUES ('7', '0', '1');")[:1]
    text = as_sql(NEW, inside).replace("'7', '0', '1'", "''7'', ''0'', ''1''")
    assert [r.rows[0].test for r in read(text).records] == ["pp512"]


def test_a_dump_of_sqlite_without_column_names_is_read() -> None:
    text = as_sql(NEW, rows(NEW)).replace(f" ({', '.join(NEW.fields)})", "").replace(" VALUES (", " VALUES(")
    assert len(read("BEGIN TRANSACTION;\n" + text + "COMMIT;\n").records) == 2


def test_cpps_nan_is_no_number_and_loses_no_other_row() -> None:
    text = as_json(NEW, rows(NEW)).replace('"stddev_ts": ', '"stddev_ts": nan, "was": ', 1)
    assert len(read(text).records) == 2
    broken = as_json(NEW, rows(NEW)).replace('"avg_ts": ', '"avg_ts": -nan, "x": ', 1).replace("[ 101", "[ inf", 1)
    assert len(read(broken).records) == 2


def test_a_posted_comment_with_two_tables_and_logs_is_read() -> None:
    log = (
        "ggml_cuda_init: found 1 CUDA devices:\n  Device 0: NVIDIA GeForce RTX 3090, compute capability 8.6, VMM: yes\n"
    )
    second = as_md(IK, rows(IK, build_commit="aaaaaaaa"))
    records = read("Before:\n\n" + log + as_md(IK, rows(IK)) + "\nafter **this**:\n\n" + second).records
    assert [r.build_commit for r in records] == ["9f3c1d20", "9f3c1d20", "aaaaaaaa", "aaaaaaaa"]
    assert records[0].fingerprint.gpu_info == "NVIDIA GeForce RTX 3090"


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("pp 512", (512, 0, 0)),
        ("tg 128", (0, 128, 0)),
        ("pp512+tg128", (512, 128, 0)),
        ("pp512 @ d4096", (512, 0, 4096)),
        ("tg128@pp512", (0, 128, 512)),
        ("pp512+tg128 @ d64", (512, 128, 64)),
    ],
)
def test_every_way_to_name_a_test_is_understood(label: str, expected: tuple[int, int, int]) -> None:
    text = as_md(NEW, rows(NEW)[:1]).replace("        pp512 ", f" {label} ")
    assert label in text
    row = one(text).rows[0]
    assert (row.n_prompt, row.n_gen, row.n_depth) == expected


def test_the_harnesss_own_export_of_all_axes_comes_back() -> None:
    made = rows(IK, muge="1", mqkv="1", repack="1", override_tensor="exps=CPU,a=CUDA0", tensor_split="0.60/0.40")[:1]
    axes = one(as_json(IK, made)).case.axes
    assert axes.override_tensor == ("exps=CPU", "a=CUDA0")
    assert axes.tensor_split == (0.6, 0.4)
    assert one(render([one(as_json(IK, made))], "sql")).case.axes == axes


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"[]",
        b'{"n_prompt": 512}',
        b"SQLite format 3\0rest",
        b'{"a":' * 20000,
        b"{" * 500_000,
        b'{"a":"' * 5000,
        b"INSERT INTO x VALUES (" * 2000,
        ("CREATE TABLE x (" * 5000).encode(),
        b"|" * 100_000,
        b"| model | test | t/s |\n| - | - | - |\n| x | pp512 | none |\n",
        b'[{"n_prompt": 512, "n_gen": 0, "avg_ts": 0, "avg_ns": 0}]',
        b'[{"n_prompt": ' + b"9" * 5000 + b"}]",
    ],
)
def test_what_holds_no_result_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(ResultError, match=r"file: |this is not llama-bench"):
        read_results(data, "file")


def test_an_oversized_file_is_refused() -> None:
    with pytest.raises(ResultError, match="Split it"):
        read_results(b" " * ((32 << 20) + 1), "file")


def test_an_import_becomes_a_run_marked_as_imported_and_again_the_same_one(tmp_path: Path) -> None:
    imported = read(as_json(NEW, rows(NEW) + rows(NEW)))
    folder = store_import(imported, "bench results.json", tmp_path)
    run = read_run(folder)
    assert len(run.records) == 4
    assert {r.imported_from for r in run.records} == {"file"}
    assert {r.run for r in run.records} == {folder.name}
    assert store_import(imported, "bench results.json", tmp_path) == folder
    assert len(read_run(folder).records) == 4


def replace_fields(age: Age, fields: list[str]) -> Age:
    return replace(age, fields=fields)
