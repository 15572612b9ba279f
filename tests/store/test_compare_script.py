"""What mainline's and ik_llama.cpp's compare-llama-bench.py ask of a file, restated from reading them."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from made_records import record, row, sweep_record

from harness.errors import ResultError
from harness.records.axes import Axes
from harness.records.record import Record
from harness.store.llama_bench_out import render
from harness.store.llama_bench_sqlite import write_sqlite

MAINLINE_KEYS = [
    *["cpu_info", "gpu_info", "backends", "n_gpu_layers", "tensor_buft_overrides", "model_filename", "model_type"],
    *["n_batch", "n_ubatch", "embeddings", "cpu_mask", "cpu_strict", "poll", "n_threads", "type_k", "type_v"],
    *["use_mmap", "no_kv_offload", "split_mode", "main_gpu", "tensor_split", "flash_attn"],
    *["n_prompt", "n_gen", "n_depth"],
]
IK_KEYS = [
    *["cpu_info", "gpu_info", "n_gpu_layers", "cuda", "vulkan", "metal", "sycl", "rpc", "gpu_blas", "blas"],
    *["model_filename", "model_type", "model_size", "model_n_params", "n_batch", "n_ubatch", "embeddings", "n_threads"],
    *["type_k", "type_v", "use_mmap", "no_kv_offload", "split_mode", "main_gpu", "tensor_split", "flash_attn"],
    *["n_prompt", "n_gen"],
]
YES_OR_NO = ["embeddings", "cpu_strict", "use_mmap", "no_kv_offload", "flash_attn", "cuda", "gpu_blas", "blas"]


def two_commits() -> list[Record]:
    slow = [row(n_prompt=512, times_ms=(20.0, 22.0))], [row(n_gen=128, times_ms=(200.0, 220.0))]
    fast = [row(n_prompt=512, times_ms=(10.0, 11.0))], [row(n_gen=128, times_ms=(100.0, 110.0))]
    old = [record(rows, build_commit="aaaaaaaa", harness_commit="aaaaaaaa") for rows in slow]
    new = [record(rows, build_commit="bbbbbbbb", harness_commit="bbbbbbbb") for rows in fast]
    return [*old, *new]


def as_database(rows: Iterator[Mapping[str, object]]) -> sqlite3.Connection:
    """The script puts JSON and CSV into a table; keys outside its list go, keys missing from it are an error."""
    database = sqlite3.connect(":memory:")
    wanted = [*MAINLINE_KEYS, "build_commit", "test_time", "avg_ts"]
    database.execute(f"CREATE TABLE llama_bench ({', '.join(wanted)})")
    for entry in rows:
        assert set(wanted) <= set(entry)
        values = [entry[name] for name in wanted]
        database.execute(f"INSERT INTO llama_bench VALUES ({', '.join('?' * len(wanted))})", values)
    return database


def speedups(database: sqlite3.Connection, table: str, keys: list[str]) -> dict[tuple[int, int], float]:
    """Its join: every key equal, the two commits apart, averages by group."""
    equal = " AND ".join(f"b.{key} = c.{key}" for key in keys)
    found = database.execute(
        f"SELECT b.n_prompt, b.n_gen, AVG(b.avg_ts), AVG(c.avg_ts) FROM {table} b JOIN {table} c ON {equal} "
        f"AND b.build_commit = 'aaaaaaaa' AND c.build_commit = 'bbbbbbbb' GROUP BY {', '.join('b.' + k for k in keys)}"
    )
    return {(int(p), int(g)): float(after) / float(before) for p, g, before, after in found}


EXPECTED = {(512, 0): 2.0, (0, 128): 2.0}


def test_it_reads_our_json() -> None:
    rows = json.loads(render(two_commits(), "json"))
    assert speedups(as_database(rows), "llama_bench", MAINLINE_KEYS) == pytest.approx(EXPECTED)


def test_it_reads_our_json_lines_and_csv() -> None:
    lines = (json.loads(line) for line in render(two_commits(), "jsonl").splitlines())
    assert speedups(as_database(lines), "llama_bench", MAINLINE_KEYS) == pytest.approx(EXPECTED)
    table = csv.DictReader(io.StringIO(render(two_commits(), "csv")))
    assert speedups(as_database(table), "llama_bench", MAINLINE_KEYS) == pytest.approx(EXPECTED)


@pytest.mark.parametrize(("table", "keys"), [("llama_bench", MAINLINE_KEYS), ("test", IK_KEYS)])
def test_mainlines_and_iks_read_our_sqlite(table: str, keys: list[str], tmp_path: Path) -> None:
    path = tmp_path / "llama-bench.sqlite"
    write_sqlite(two_commits(), path)
    database = sqlite3.connect(path)
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"llama_bench", "test"} <= tables
    assert database.execute("PRAGMA schema_version").fetchone()[0] > 0
    assert speedups(database, table, keys) == pytest.approx(EXPECTED)
    shortest, longest = database.execute(
        f"SELECT MIN(LENGTH(build_commit)), MAX(LENGTH(build_commit)) FROM {table}"
    ).fetchone()
    assert shortest == longest == 8
    database.close()


def test_what_it_turns_into_numbers_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    write_sqlite([record(), sweep_record()], path)
    database = sqlite3.connect(path)
    for name in [*YES_OR_NO, "n_gpu_layers", "n_prompt", "n_gen", "n_depth", "model_size"]:
        for (value,) in database.execute(f"SELECT {name} FROM llama_bench"):
            assert int(value) == value
    database.close()


def test_variants_of_one_commit_are_not_averaged_together() -> None:
    """The script has no key for muge; without one that tells them apart it would compare a mean of on and off."""
    on = [
        record([row(n_prompt=512, times_ms=(1.0,))], axes=Axes(threads=2, merge_up_gate=True), build_commit="bbbbbbbb")
    ]
    database = as_database(json.loads(render([*two_commits(), *on], "json")))
    assert speedups(database, "llama_bench", MAINLINE_KEYS) == pytest.approx(EXPECTED)


def test_the_sqlite_file_replaces_the_one_before_it(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    for _ in range(2):
        write_sqlite(two_commits(), path)
    database = sqlite3.connect(path)
    assert database.execute("SELECT COUNT(*) FROM llama_bench").fetchone() == (4,)
    database.close()
    assert [p.name for p in tmp_path.iterdir()] == ["x.sqlite"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="cannot be written"):
        write_sqlite(two_commits(), tmp_path / "no" / "such" / "x.sqlite")
