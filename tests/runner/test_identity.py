"""The resume key: equal for the same measurement, different for any other."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from fake_cases import fake_case

from harness.records.case import ModelRef, Test
from harness.runner.identity import code_digest, engine_build, file_identity, harness_commit, resume_key


def test_the_same_case_has_the_same_key() -> None:
    assert resume_key(fake_case("a")) == resume_key(fake_case("a"))


def test_case_file_and_build_each_change_the_key(tmp_path: Path) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"weights")
    case = fake_case("a", model=ModelRef("m", str(model)))
    keys = {
        resume_key(case),
        resume_key(replace(case, test=Test("pp", 99))),
        resume_key(fake_case("a", model=ModelRef("m", str(model)), precision=0.1)),
        resume_key(replace(case, axes=replace(case.axes, engine="xllamacpp"))),
    }
    model.write_bytes(b"Weights")
    keys.add(resume_key(case))
    assert len(keys) == 5


@pytest.mark.parametrize("at", [0, 3 << 20])
def test_a_change_at_either_end_of_a_large_file_is_seen(tmp_path: Path, at: int) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(bytes(4 << 20))
    before, stamp = file_identity(path), path.stat().st_mtime_ns
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"x")
    os.utime(path, ns=(stamp, stamp))
    assert file_identity(path) != before


def test_an_absent_file_has_an_identity_too(tmp_path: Path) -> None:
    assert file_identity(tmp_path / "nowhere") == "absent"


def test_code_counts_and_other_files_do_not(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    before = code_digest(tmp_path)
    (tmp_path / "notes.txt").write_text("nothing")
    assert code_digest(tmp_path) == before
    (tmp_path / "b.cpp").write_text("int x;\n")
    assert code_digest(tmp_path) != before


def test_a_peer_is_its_executable(tmp_path: Path) -> None:
    binary = tmp_path / "llama-bench"
    binary.write_bytes(b"one")
    before = engine_build("llama_bench", str(binary))
    binary.write_bytes(b"two")
    assert engine_build("llama_bench", str(binary)) != before


def test_a_checkout_names_its_commit() -> None:
    assert harness_commit() == "" or len(harness_commit().removesuffix("-dirty")) >= 12
