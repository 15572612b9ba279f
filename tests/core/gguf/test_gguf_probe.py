"""The first look in a child: its answers are the reader's, and its end is an answer too."""

import os
from pathlib import Path

import pytest
from gguf_bytes import STRING, U8, array, gguf, pair, tensor, text, u32

from harness.core.errors import GgufError, UnsupportedError
from harness.core.gguf import probe as module
from harness.core.gguf.probe import probe


def written(folder: Path, content: bytes) -> Path:
    path = folder / "m.gguf"
    path.write_bytes(content)
    return path


def test_a_good_file_passes(tmp_path: Path) -> None:
    probe(written(tmp_path, gguf([pair("general.name", STRING, text("m"))])))


def test_a_bad_file_is_refused_in_the_readers_words(tmp_path: Path) -> None:
    with pytest.raises(GgufError, match="begins with b'FUGG'"):
        probe(written(tmp_path, gguf(magic=b"FUGG")))


def test_an_unsupported_file_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="IQ4_KT: a"):
        probe(written(tmp_path, gguf(tensors=[tensor("a", (256,), 155)], data=bytes(256))))


def test_a_name_that_looks_like_an_option_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "--help").write_bytes(gguf())
    probe(Path("--help"))


def test_as_much_metadata_as_the_reader_allows_fits_into_the_child(tmp_path: Path) -> None:
    keys = [text(f"k{i}") + u32(9) + u32(U8) + (16 << 20).to_bytes(8, "little") for i in range(31)]
    path = tmp_path / "m.gguf"
    with path.open("wb") as file:
        file.write(gguf(n_keys=len(keys))[:24])
        for key in keys:
            file.write(key)
            file.seek(16 << 20, os.SEEK_CUR)
        file.truncate(file.tell() + 64)
    probe(path)


def test_a_child_that_crashes_is_an_error_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    monkeypatch.setattr(module.sys, "executable", str(crashing))
    with pytest.raises(GgufError, match="within 1024 MiB and 30 s failed: exit status -11"):
        probe(written(tmp_path, gguf()))


def test_a_child_that_does_not_answer_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WALL_S", 0.001)
    with pytest.raises(GgufError, match="no answer within"):
        probe(written(tmp_path, gguf([array("k", U8, b"\0", 1)])))
