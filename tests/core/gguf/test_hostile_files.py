"""Files made to do harm, or simply broken: each is refused in words of its own, quickly and in little memory."""

import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from gguf_bytes import BOOL, I32, STRING, U8, U16, U32, array, gguf, pair, tensor, text, u32
from hostile_cases import CASES, LLAMA_CPP

from harness.core.errors import GgufError
from harness.core.gguf import limits, open_gguf

MOST_MEMORY = 64 << 20
MOST_SECONDS = 0.05
"""Two hundred times what it takes: not a benchmark, but proof that no length in the file is believed."""


def refusal(path: Path) -> str:
    """The message, after proof that it cost little; the least of five times, since others use the machine."""
    seconds = []
    tracemalloc.start()
    for _ in range(5):
        start = time.process_time()
        with pytest.raises(GgufError) as caught:
            open_gguf(path)
        seconds.append(time.process_time() - start)
        if seconds[-1] < MOST_SECONDS:
            break
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert min(seconds) < MOST_SECONDS
    assert peak < MOST_MEMORY
    return str(caught.value)


def assert_for_people(message: str, path: Path) -> None:
    """What happened, then the cause or the remedy; no character that moves a cursor."""
    assert message.startswith(str(path))
    assert message.isprintable()
    assert message.endswith(".")
    assert ". " in message


@pytest.mark.parametrize("name", CASES)
def test_each_lie_is_answered_in_its_own_words(name: str, tmp_path: Path) -> None:
    content, words = CASES[name]
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    if words is None:
        open_gguf(path).close()
        return
    message = refusal(path)
    assert words in message
    assert_for_people(message, path)


def test_every_kind_of_llama_cpp_is_here_and_the_one_it_dropped() -> None:
    assert len(LLAMA_CPP) == 33 + 1
    assert "KV_BAD_VALUE_SIZE" in LLAMA_CPP


def sparse(path: Path, head: bytes, size_bytes: int) -> None:
    path.write_bytes(head)
    os.truncate(path, size_bytes)


def claims(key_value: bytes) -> bytes:
    return gguf([key_value], alignment=1)


BIG: dict[str, tuple[bytes, str]] = {
    "a text of 65 MiB": (claims(pair("key", STRING, text("", 65 << 20))), f"has {65 << 20} bytes, more than"),
    "17 million bytes": (claims(array("key", U8, b"", 17 << 20)), f"claims {17 << 20}, more than"),
    "a text of 65 MiB in an array": (claims(array("key", STRING, text("", 65 << 20), 1)), f"claims {65 << 20} bytes"),
    "a name of 1 MiB": (gguf(tensors=[text("", 1 << 20)], alignment=1), f"has {1 << 20} bytes, more than the 256"),
    "a key of 1 MiB": (gguf([text("", 1 << 20)], alignment=1), f"has {1 << 20} bytes, more than the 65536"),
}


@pytest.mark.parametrize("name", BIG)
def test_a_big_file_does_not_buy_a_big_allocation(name: str, tmp_path: Path) -> None:
    head, words = BIG[name]
    path = tmp_path / "m.gguf"
    sparse(path, head, 1 << 30)
    assert words in refusal(path)


def test_metadata_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_HEADER_BYTES", 1 << 12)
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf([array("key", U8, bytes(5000), 5000)]))
    assert "the header goes on for more than 4096 bytes" in refusal(path)


def directory(folder: Path) -> Path:
    return folder


def missing(folder: Path) -> Path:
    return folder / "nowhere.gguf"


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.gguf")
    return folder / "pipe.gguf"


def device(_folder: Path) -> Path:
    return Path("/dev/zero")


def dangling(folder: Path) -> Path:
    (folder / "link.gguf").symlink_to(folder / "gone.gguf")
    return folder / "link.gguf"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (directory, "is not a regular file"),
        (missing, "cannot be opened: No such file"),
        (pipe, "is not a regular file"),
        (device, "is not a regular file"),
        (dangling, "cannot be opened: No such file"),
        (lambda folder: folder / "a\0b.gguf", "cannot be opened: embedded null"),
    ],
)
def test_what_is_no_file_is_refused_without_waiting(make: Callable[[Path], Path], words: str, tmp_path: Path) -> None:
    assert words in refusal(make(tmp_path))


def split_keys(number: int, count: int, n_tensors: int) -> list[bytes]:
    def short(value: int) -> bytes:
        return value.to_bytes(2, "little")

    return [
        pair("split.no", U16, short(number)),
        pair("split.count", U16, short(count)),
        pair("split.tensors.count", I32, u32(n_tensors)),
    ]


def part(number: int, count: int, name: str, n_tensors: int = 2) -> bytes:
    return gguf(split_keys(number, count, n_tensors), [tensor(name, (8,))], bytes(32))


FIRST, SECOND = "m-00001-of-00002.gguf", "m-00002-of-00002.gguf"
SPLITS: dict[str, tuple[dict[str, bytes], str]] = {
    "a part under another name": ({"m.gguf": part(0, 2, "a")}, "is not named like name-00001-of-00002.gguf"),
    "a part named as one of three": ({"m-00001-of-00003.gguf": part(0, 2, "a")}, "is not named like"),
    "a part alone": ({FIRST: part(0, 2, "a")}, f"these are missing: {SECOND}"),
    "a part without the first": ({SECOND: part(1, 2, "b")}, f"these are missing: {FIRST}"),
    "parts exchanged": ({FIRST: part(1, 2, "a"), SECOND: part(0, 2, "b")}, "says it is file 1 of 2"),
    "parts of different models": ({FIRST: part(0, 2, "a"), SECOND: part(1, 3, "b")}, "says it is file 1 of 3"),
    "a second part that is whole": ({FIRST: part(0, 2, "a"), SECOND: gguf()}, "says it is file -1 of 1"),
    "a second part of rubbish": ({FIRST: part(0, 2, "a"), SECOND: b"rubbish!"}, "begins with b'rubb'"),
    "a tensor in two parts": ({FIRST: part(0, 2, "a"), SECOND: part(1, 2, "a")}, "'a' is in an earlier file"),
    "a tensor lost": ({FIRST: part(0, 2, "a", 3), SECOND: part(1, 2, "b")}, "declares 3 tensors over all its files"),
    "too many parts": ({FIRST: gguf([pair("split.count", U32, u32(70_000))])}, "is split into 70000 files"),
    "fewer than no parts": ({FIRST: gguf([pair("split.count", I32, u32(2**32 - 1))])}, "is split into -1 files"),
    "a count in words": ({FIRST: gguf([pair("split.count", STRING, text("two"))])}, "split.count is not a whole"),
    "a count of truth": ({FIRST: gguf([pair("split.count", BOOL, b"\1")])}, "split.count is not a whole number"),
}


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_model_that_does_not_fit_together_is_refused(name: str, tmp_path: Path) -> None:
    files, words = SPLITS[name]
    for file_name, content in files.items():
        (tmp_path / file_name).write_bytes(content)
    assert words in refusal(tmp_path / next(iter(files)))


def test_no_path_from_metadata_is_ever_opened(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    path = tmp_path / "inner" / FIRST
    path.write_bytes(gguf([*split_keys(0, 2, 2), pair("split.path", STRING, text("../secret.gguf"))]))
    (tmp_path / "secret.gguf").write_bytes(part(1, 2, "b"))
    assert f"these are missing: {SECOND}" in refusal(path)


def test_more_than_ninety_refusals_all_differ(tmp_path: Path) -> None:
    messages = set()
    refused = [content for content, words in CASES.values() if words is not None]
    for content in refused:
        path = tmp_path / "m.gguf"
        path.write_bytes(content)
        with pytest.raises(GgufError) as caught:
            open_gguf(path)
        messages.add(str(caught.value))
    assert len(refused) > 90
    assert len(messages) == len(refused)
