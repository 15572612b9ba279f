"""Run folders: what is written comes back, half-written is never seen, and a newer schema is refused."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_records import record, sweep_record

from harness.errors import ResultError, RunError
from harness.records.profile import PROFILE_SCHEMA, CaseProfile, OpTime, RowProfile
from harness.records.record import SCHEMA, RunInfo
from harness.store.files import Disk, locked, sweep_temporaries
from harness.store.runs import (
    create_run,
    find_run,
    list_runs,
    read_run,
    record_path,
    slug,
    write_info,
    write_profile,
    write_record,
)


def made_run(results: Path, name: str = "smoke", started: str = "2026-01-01T00:00:00+00:00") -> Path:
    folder = create_run(results, name)
    records = (record(case_id="b"), sweep_record(case_id="a"))
    info = RunInfo(folder.name, name, "name: smoke\n", ("harness", "run"), started, tuple(r.case for r in records))
    write_info(folder, info)
    for made in records:
        write_record(folder, made)
    return folder


def test_a_run_comes_back_as_it_was_written_in_the_order_of_its_cases(tmp_path: Path) -> None:
    run = read_run(made_run(tmp_path))
    assert run.records == (record(case_id="b"), sweep_record(case_id="a"))
    assert run.info.config_text == "name: smoke\n"


def test_a_case_without_a_record_is_left_out(tmp_path: Path) -> None:
    folder = made_run(tmp_path)
    record_path(folder, "b").unlink()
    assert [found.case.case_id for found in read_run(folder).records] == ["a"]


def test_run_folders_are_named_by_date_and_config_and_never_collide(tmp_path: Path) -> None:
    names = {create_run(tmp_path, "GPT OSS/../muge").name for _ in range(5)}
    assert len(names) == 5
    assert all(name[10:].startswith("-gpt-oss-..-muge-") and Path(name).name == name for name in names)


def test_a_run_is_found_by_path_name_or_unique_part(tmp_path: Path) -> None:
    folder = made_run(tmp_path, "one")
    made_run(tmp_path, "two")
    assert find_run(folder) == find_run(folder.name, tmp_path) == find_run("one", tmp_path) == folder
    with pytest.raises(ResultError, match=r"could be .*one.*two"):
        find_run("-", tmp_path)
    with pytest.raises(ResultError, match="is no run folder"):
        find_run("three", tmp_path)


def test_runs_are_listed_oldest_first_and_strangers_are_passed_over(tmp_path: Path) -> None:
    new = made_run(tmp_path, started="2026-02-01T00:00:00+00:00")
    old = made_run(tmp_path, started="2026-01-01T00:00:00+00:00")
    (tmp_path / "stranger").mkdir()
    (tmp_path / "stranger" / "run.json").write_text("{}")
    assert [info.run for info in list_runs(tmp_path)] == [old.name, new.name]
    assert list_runs(tmp_path / "nowhere") == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"case": 1}', "\xff\x00"])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    folder = made_run(tmp_path)
    record_path(folder, "a").write_bytes(text.encode("latin1"))
    with pytest.raises(ResultError, match=r"case-a\.json"):
        read_run(folder)


def test_a_profile_lies_beside_its_record_and_one_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    folder = made_run(tmp_path)
    case = record(case_id="b").case
    profile = CaseProfile(
        case, (RowProfile("pp8", 8, 2, 5, (OpTime("qkv", 0, 1, 3, 1.0, 2.0, runs_ns=(2, 4)),), (4, 6)),)
    )
    path = write_profile(folder, profile)
    assert path == folder / "profile-b.json"
    assert read_run(folder).profiles == (profile,)
    assert len(read_run(folder).records) == 2
    newer = {**json.loads(path.read_text()), "schema": PROFILE_SCHEMA + 1}
    path.write_text(json.dumps(newer))
    with pytest.raises(ResultError, match=rf"schema {PROFILE_SCHEMA + 1}, this one reads {PROFILE_SCHEMA}\)"):
        read_run(folder)


def test_a_record_of_a_newer_schema_is_refused_not_truncated(tmp_path: Path) -> None:
    folder = made_run(tmp_path)
    write_record(folder, replace(record(case_id="b"), schema=SCHEMA + 1))
    with pytest.raises(ResultError, match="written by a newer harness"):
        read_run(folder)


def test_a_record_of_an_older_schema_is_read(tmp_path: Path) -> None:
    folder = made_run(tmp_path)
    path = record_path(folder, "b")
    body = json.loads(path.read_text())
    del body["schema"], body["resume_key"], body["equivalence"]
    path.write_text(json.dumps(body))
    assert read_run(folder).records[0].equivalence.verdict == "not checked"


@pytest.mark.parametrize("ids", [("a b", "a-b"), ("../../etc", "etc"), ("A", "a"), ("é", "è"), ("x" * 300, "x" * 299)])
def test_no_two_cases_share_a_file_and_none_leaves_the_folder(tmp_path: Path, ids: tuple[str, str]) -> None:
    paths = {record_path(tmp_path, case_id) for case_id in ids}
    assert len(paths) == 2
    assert all(path.parent == tmp_path and len(path.name) < 120 for path in paths)


def test_slugs_are_plain(tmp_path: Path) -> None:
    assert slug("GPT-OSS 20B (MXFP4)") == "gpt-oss-20b-mxfp4"


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    Disk().write_file(path, b"old")

    def full(_descriptor: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(RunError, match="No space left on device; 3 bytes needed"):
        Disk(write=full).write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["run.json"]


def test_short_writes_are_continued(tmp_path: Path) -> None:
    Disk(write=lambda descriptor, data: os.write(descriptor, data[:2])).write_file(tmp_path / "x", b"abcdefg")
    assert (tmp_path / "x").read_bytes() == b"abcdefg"


def test_data_is_synced_before_it_gets_its_name_and_the_name_after(tmp_path: Path) -> None:
    calls: list[str] = []

    def noting(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            calls.append(name)
            return call(*arguments)

        return noted

    disk = Disk(write=noting("write", os.write), fsync=noting("fsync", os.fsync), replace=noting("replace", os.replace))
    disk.write_file(tmp_path / "x", b"a")
    assert calls == ["write", "fsync", "replace", "fsync"]


def test_a_lock_is_exclusive_and_ends_with_its_holder(tmp_path: Path) -> None:
    with locked(tmp_path / "l", "busy"), pytest.raises(RunError, match="busy"), locked(tmp_path / "l", "busy"):
        pass
    with locked(tmp_path / "l", "busy"):
        pass


def test_what_a_killed_writer_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".case-a.json.123.tmp").write_text("{")
    (tmp_path / "case-b.json").write_text("{}")
    sweep_temporaries(tmp_path)
    assert [found.name for found in tmp_path.iterdir()] == ["case-b.json"]


def test_a_place_where_no_folder_can_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="no run folder can be made here"):
        create_run(tmp_path / "file", "x")
