import json

import pytest
from made_records import sweep_record

from harness.records.record import Record
from harness.store.imports import read_results
from harness.store.sweep_out import sweep_jsonl, sweep_lines, sweep_table

SETTINGS = (
    "main: n_kv_max = 1536, n_batch = 2048, n_ubatch = 512, flash_attn = 1, n_gpu_layers = 99, "
    "n_threads = 8, n_threads_batch = 8\n"
)
TABLE = """\
|    PP |     TG |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |
|-------|--------|--------|----------|----------|----------|----------|
|   512 |    128 |      0 |    0.071 |  7238.12 |    0.641 |   199.67 |
|   512 |    128 |    512 |    0.072 |  7121.94 |    0.652 |   196.24 |
|   512 |    128 |   1024 |    0.073 |  6998.07 |    0.661 |   193.66 |
"""
MEMORY = """\
|    PP |     TG |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |    RSS HWM | VRAM delta |
|-------|--------|--------|----------|----------|----------|----------|------------|------------|
|   512 |    128 |      0 |    0.071 |  7238.12 |    0.641 |   199.67 |     2345.6 |        n/a |
"""
LINE = (
    '{"n_kv_max": 1024, "n_batch": 2048, "n_ubatch": 512, "flash_attn": 1, "n_gpu_layers": 0, "n_threads": 4, '
    '"n_threads_batch": 8, "pp": 512, "tg": 128, "n_kv": %d, "t_pp": 0.071000, "speed_pp": 7211.267606, '
    '"t_tg": 0.640000, "speed_tg": 200.000000, "rss_hwm_mib": 2345.600, "vram_delta_mib": null }\n'
)


def read(text: str) -> tuple[Record, ...]:
    return read_results(text.encode(), "sweep.txt").records


def test_a_table_with_its_settings_becomes_one_record() -> None:
    (record,) = read("llm_load_tensors: offloaded 25/25 layers to GPU\n\n" + SETTINGS + "\n" + TABLE)
    assert record.case.test.kind == "sweep"
    assert record.case.test.depths == (0, 512, 1024)
    assert [(r.n_prompt, r.n_gen, r.n_depth) for r in record.rows[:2]] == [(0, 128, 0), (512, 0, 0)]
    assert record.case.axes.device == "cuda:0"
    assert record.case.axes.threads == 8
    assert record.imported_from == "sweep.txt"


def test_a_table_comes_back_as_it_was_printed_in_time_and_in_rate() -> None:
    assert sweep_table(read(SETTINGS + TABLE)[0]) == TABLE


def test_log_lines_between_the_rows_do_not_end_the_table() -> None:
    """ik_llama.cpp writes two lines to stderr around every row."""
    noisy = "".join(f"{line}==== tg_start for n_kv = 1\n==== tg_end for n_kv = 1\n" for line in TABLE.splitlines(True))
    assert read(noisy)[0].rows == read(TABLE)[0].rows


def test_json_lines_come_back_the_same() -> None:
    text = LINE % 0 + LINE % 512
    (record,) = read(text)
    assert record.rss_peak_bytes == round(2345.6 * 2**20)
    assert record.vram_peak_bytes is None
    again = [json.loads(line) for line in sweep_jsonl([record]).splitlines()]
    for line, was in zip(again, text.splitlines(), strict=True):
        kept = {k: v for k, v in json.loads(was).items() if not k.endswith("mib")}
        assert {k: line[k] for k in kept} == pytest.approx(kept, rel=1e-6)
    assert read(sweep_jsonl([record]))[0].rows == record.rows


def test_memory_columns_are_read_where_they_hold_numbers() -> None:
    (record,) = read(MEMORY)
    assert record.rss_peak_bytes == round(2345.6 * 2**20)
    assert record.vram_peak_bytes is None


def test_two_sweeps_after_each_other_are_two_records() -> None:
    assert len(read(LINE % 0 + LINE % 512 + LINE % 0)) == 2
    assert len(read(MEMORY + "\nwith -muge 1:\n" + MEMORY)) == 2


def test_our_own_sweep_comes_back_with_its_variant() -> None:
    record = sweep_record()
    (again,) = read(sweep_jsonl([record]))
    assert [line.t_pp for line in sweep_lines(again)] == [line.t_pp for line in sweep_lines(record)]
    assert again.case.model.name == record.case.model.label
    (table,) = read(sweep_table(record))
    assert sweep_table(table) == sweep_table(record)
