import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_records import record, row, sweep_record
from sqlalchemy import func, select, text, update

from harness.errors import ResultError
from harness.records.record import Failure, Limits, Record, RunInfo
from harness.store.database import reading, writing
from harness.store.index import Index, open_index
from harness.store.runs import write_info, write_record
from harness.store.schema import LLAMA_BENCH, META, RECORDS, RUNS, SERIES, SESSIONS
from harness.store.sessions import run_entries


def write_run(results: Path, run: str, *records: Record, **info: Any) -> Path:
    folder = results / run
    folder.mkdir(parents=True, exist_ok=True)
    cases = tuple(r.case for r in records)
    command = info.pop("command", ())
    write_info(folder, RunInfo(run, "smoke", "", command, f"{run[:10]}T00:00:00Z", cases, **info))
    for made in records:
        write_record(folder, replace(made, run=run))
    return folder


def count(index: Index, table: Any) -> int:
    with reading(index.engine) as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def test_every_record_is_found_and_again_nothing_is_new(where: str, tmp_path: Path) -> None:
    write_run(tmp_path / "r", "2026-01-01-a", record(), sweep_record(case_id="sweep"))
    index = open_index(where)
    assert index.sync(tmp_path / "r").n_records == 2
    assert index.sync(tmp_path / "r").n_records == 0
    assert count(index, LLAMA_BENCH) == 1 + 6
    assert count(index, SESSIONS) == 1 + 6
    index.close()


def test_a_record_that_changes_replaces_itself_and_one_that_goes_is_gone(where: str, tmp_path: Path) -> None:
    results = tmp_path / "r"
    folder = write_run(results, "2026-01-01-a", record())
    index = open_index(where)
    index.sync(results)
    write_run(results, "2026-01-01-a", record([row(n_prompt=512), row(n_gen=128)]))
    assert index.sync(results).n_records == 1
    assert (count(index, RECORDS), count(index, LLAMA_BENCH)) == (1, 2)
    next(folder.glob("case-*")).unlink()
    assert index.sync(results).n_removed == 1
    assert (count(index, RECORDS), count(index, SESSIONS), count(index, RUNS)) == (0, 0, 1)
    index.close()


def test_what_an_experiment_measured_is_no_night(where: str, tmp_path: Path) -> None:
    for day, word in enumerate(("run", "ab", "profile", "reproduce"), start=1):
        write_run(tmp_path / "r", f"2026-01-0{day}-{word}", record(), command=("harness", word, "smoke.yaml"))
    index = open_index(where)
    index.sync(tmp_path / "r")
    assert [entry.run for entry in run_entries(index) if entry.is_night] == ["2026-01-01-run"]
    index.close()


def test_a_run_is_known_with_what_its_machine_could_do_at_most(where: str, tmp_path: Path) -> None:
    write_run(
        tmp_path / "r", "2026-01-01-a", record(), limits=Limits({"read, 1 thread": 4e10}, {"f32, 1 thread": 1e11})
    )
    write_run(tmp_path / "r", "2026-01-02-b", record())
    index = open_index(where)
    index.sync(tmp_path / "r")
    assert [entry.rates for entry in run_entries(index)] == [{"f32, 1 thread": 1e11}, {}]
    index.close()


def test_a_rebuilt_index_holds_what_the_old_one_held(where: str, tmp_path: Path) -> None:
    results = tmp_path / "r"
    for day in range(1, 4):
        write_run(
            results, f"2026-01-0{day}-a", record(), record(case_id="b", status="failed", error=Failure("E", "no"))
        )
    index = open_index(where)
    index.sync(results)
    before = contents(index)
    with writing(index.engine) as connection:
        connection.execute(update(SESSIONS).values(value=1.0))
    assert contents(index) != before
    index.rebuild(results)
    assert contents(index) == before
    index.close()


def test_two_results_folders_share_a_database_and_rebuild_their_own_part_only(where: str, tmp_path: Path) -> None:
    write_run(tmp_path / "one", "2026-01-01-a", record())
    write_run(tmp_path / "two", "2026-01-02-b", record())
    index = open_index(where)
    index.sync(tmp_path / "one")
    index.sync(tmp_path / "two")
    index.rebuild(tmp_path / "one")
    assert count(index, RUNS) == 2
    index.close()


def test_a_failed_case_is_a_session_without_a_value(where: str, tmp_path: Path) -> None:
    failed = record(status="oom", error=Failure("oom", "4 GiB too much"))
    write_run(tmp_path / "r", "2026-01-01-a", record())
    write_run(tmp_path / "r", "2026-01-02-a", replace(failed, rows=()))
    index = open_index(where)
    index.sync(tmp_path / "r")
    with reading(index.engine) as connection:
        found = connection.execute(select(SESSIONS.c.series_id, SESSIONS.c.value, SESSIONS.c.state, SESSIONS.c.note))
        (ok, bad) = sorted(found.all(), key=lambda r: r.value is None)
    assert ok.series_id == bad.series_id
    assert (bad.value, bad.state, bad.note) == (None, "failed", "oom: 4 GiB too much")
    index.close()


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_taken(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "r", "2026-01-01-a", record())
    (folder / "case-broken.json").write_text("{")
    (tmp_path / "r" / "bad").mkdir()
    (tmp_path / "r" / "bad" / "run.json").write_text("[]")
    index = open_index(tmp_path / "i.sqlite")
    done = index.sync(tmp_path / "r")
    assert done.n_records == 1
    assert len(done.warnings) == 2
    assert any("case-broken.json" in warning for warning in done.warnings)
    index.close()


def test_a_record_of_the_first_schema_is_readable(tmp_path: Path) -> None:
    """Written before `foreign` and `resume_key` were fields, and with one that no longer is."""
    folder = write_run(tmp_path / "r", "2026-01-01-a", record())
    path = next(folder.glob("case-*"))
    old = json.loads(path.read_text())
    for name in ("foreign", "resume_key", "imported_from", "equivalence", "limits", "expert_counts"):
        del old[name]
    path.write_text(json.dumps({**old, "given_up_field": 1}))
    index = open_index(tmp_path / "i.sqlite")
    assert index.sync(tmp_path / "r").n_records == 1
    index.close()


def test_an_index_of_another_schema_is_refused_and_rebuild_replaces_it(where: str, tmp_path: Path) -> None:
    index = open_index(where)
    with writing(index.engine) as connection:
        connection.execute(update(META).values(value="0"))
    index.close()
    with pytest.raises(ResultError, match="harness db rebuild"):
        open_index(where)
    write_run(tmp_path / "r", "2026-01-01-a", record())
    index = open_index(where, anew=True)
    assert index.rebuild(tmp_path / "r").n_records == 1
    index.close()


def test_a_damaged_index_file_is_refused_and_rebuild_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "i.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(ResultError, match="harness db rebuild"):
        open_index(path)
    open_index(path, anew=True).close()


@pytest.mark.parametrize("url", ["postgresql://x@127.0.0.1:1/x", "nosuch://x", "oracle://x"])
def test_a_database_that_is_not_there_is_one_sentence(url: str) -> None:
    with pytest.raises(ResultError) as caught:
        open_index(url)
    assert "\n" not in str(caught.value)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(ResultError) as caught:
        open_index("postgresql://x:geheim@127.0.0.1:1/x")
    assert "geheim" not in str(caught.value)


def test_sqlite_survives_a_power_cut_at_every_commit(tmp_path: Path) -> None:
    index = open_index(tmp_path / "i.sqlite")
    with reading(index.engine) as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
    index.close()


def test_mainlines_compare_script_can_be_pointed_at_the_index_itself(tmp_path: Path) -> None:
    write_run(tmp_path / "r", "2026-01-01-a", record())
    index = open_index(tmp_path / "i.sqlite")
    index.sync(tmp_path / "r")
    index.close()
    database = sqlite3.connect(tmp_path / "i.sqlite")
    assert database.execute("SELECT build_commit, n_prompt, use_mmap, muge FROM llama_bench").fetchall() == [
        ("0123abcd", 512, 1, 0)
    ]
    database.close()


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from test_index import write_run
from made_records import record
from harness.store.index import open_index
results, where, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
index = open_index(where)
for night in range(12):
    write_run(results, f"2026-01-{night + 1:02}-{name}", record(), record(case_id="b"))
    index.sync(results)
    if night % 4 == 3:
        index.rebuild(results)
"""


def test_two_writers_at_once_lose_nothing(where: str, tmp_path: Path) -> None:
    results = tmp_path / "r"
    commands = [[sys.executable, "-c", WRITER, str(results), where, name, str(Path(__file__).parent)] for name in "ab"]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE) for command in commands]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors.decode()
    index = open_index(where)
    assert (count(index, RUNS), count(index, RECORDS), count(index, SESSIONS)) == (24, 48, 48)
    assert count(index, SERIES) == 1
    assert index.sync(results).n_records == 0
    index.close()


def contents(index: Index) -> list[tuple[Any, ...]]:
    query = select(RUNS.c.run, RECORDS.c.file, SESSIONS.c.series_id, SESSIONS.c.value, SESSIONS.c.state)
    joined = query.join(RECORDS, RECORDS.c.run == RUNS.c.run).join(SESSIONS, SESSIONS.c.record == RECORDS.c.id)
    with reading(index.engine) as connection:
        return sorted(map(tuple, connection.execute(joined)))


def test_a_record_with_text_or_numbers_no_column_holds_costs_nobody_else_their_place(
    where: str, tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "r", "2026-01-01-a", record(), record(case_id="nul"), record(case_id="huge"))
    for path in folder.glob("case-*"):
        content = json.loads(path.read_text())
        if content["case"]["case_id"] == "nul":
            content["case"]["model"]["name"] = content["load"]["model_type"] = "a\0b"
            path.write_text(json.dumps(content))
        elif content["case"]["case_id"] == "huge":
            path.write_text(json.dumps(content | {"load": content["load"] | {"model_size": 10**30}}))
    index = open_index(where)
    done = index.sync(tmp_path / "r")
    assert done.n_records == 2
    assert len(done.warnings) == 1
    assert count(index, RECORDS) == 2
    index.close()
