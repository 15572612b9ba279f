"""What is loaded is what the file holds; what cannot be loaded is one sentence."""

import errno
import shutil
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.errors import GgufError, LoadError, OutOfMemoryError
from harness.core.gguf import GgufFile, open_gguf
from harness.core.loader import load_weights
from harness.core.loader.chunks import cut
from harness.core.loader.readers import n_readers
from harness.core.loader.stream import ASKED_AT_ONCE, _Queue, adjoined
from harness.core.models import read_model
from harness.core.options import Options
from harness.core.plan import Plan, StoredTensor, make_plan
from harness.core.session import Session

MERGED = Options(devices=("reference",), merge_up_gate=True, merge_qkv=True)


class Recorder:
    """A backend that keeps row forms and counts how often each row was placed."""

    def __init__(self) -> None:
        self.rows: dict[str, NDArray[np.uint8]] = {}
        self.times_placed: dict[str, NDArray[np.int64]] = {}
        self.mapped: dict[str, NDArray[np.uint8]] = {}

    def allocate(self, tensor: StoredTensor) -> None:
        self.rows[tensor.name] = np.zeros((tensor.n_rows, tensor.row_bytes), np.uint8)
        self.times_placed[tensor.name] = np.zeros(tensor.n_rows, np.int64)

    def place(self, tensor: StoredTensor, first_row: int, rows: NDArray[np.uint8]) -> None:
        self.rows[tensor.name][first_row : first_row + len(rows)] = rows
        self.times_placed[tensor.name][first_row : first_row + len(rows)] += 1

    def map(self, tensor: StoredTensor, data: NDArray[np.uint8]) -> None:
        self.mapped[tensor.name] = data

    def context(self, *_: Any) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to free."""


class ByDevice(Recorder):
    """Keeps the tensors of every device apart, under names that begin with the device."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def allocate(self, tensor: StoredTensor) -> None:
        self._recorder.allocate(named(tensor))

    def place(self, tensor: StoredTensor, first_row: int, rows: NDArray[np.uint8]) -> None:
        self._recorder.place(named(tensor), first_row, rows)


def named(tensor: StoredTensor) -> StoredTensor:
    return replace(tensor, name=f"{tensor.device}:{tensor.name}")


def load(path: Path, options: Options, backend: Any, **how: int) -> Plan:
    with open_gguf(path) as file:
        plan = make_plan(read_model(file), options)
        load_weights(plan, file, backend, **how)
    return plan


def test_merged_experts_hold_gate_rows_then_up_rows_of_each_expert(made: Any) -> None:
    path, backend = made("tiny-gpt-oss"), Recorder()
    load(path, MERGED, backend)
    with open_gguf(path) as file:
        for kind, shape in (("weight", (8, 160, -1)), ("bias", (8, 1, -1))):
            gate, up = (file.read(f"blk.0.ffn_{role}_exps.{kind}").reshape(shape) for role in ("gate", "up"))
            merged = backend.rows[f"blk.0.ffn_gate_up_exps.{kind}"]
            expected = np.concatenate([gate, up], axis=1 if kind == "weight" else 2)
            np.testing.assert_array_equal(merged.reshape(-1), expected.reshape(-1))


@pytest.mark.parametrize("options", [MERGED, Options(devices=("reference",))])
def test_every_row_is_placed_once_and_every_tensor_is_whole(made: Any, options: Options) -> None:
    path, backend = made("tiny-qwen3moe"), Recorder()
    plan = load(path, options, backend, chunk_bytes=5000)
    with open_gguf(path) as file:
        for stored in plan.tensors:
            assert (backend.times_placed[stored.name] == 1).all()
            pieces = [file.read(name).reshape(-1) for name in dict.fromkeys(p.tensor for p in stored.pieces)]
            assert sorted(backend.rows[stored.name].reshape(-1)) == sorted(np.concatenate(pieces))


def test_mapped_tensors_are_views_of_the_file(made: Any) -> None:
    path, backend = made("tiny-gpt-oss", layers=1), Recorder()
    plan = load(path, Options(devices=("reference",), layout="mapped"), backend)
    assert set(backend.mapped) == {tensor.name for tensor in plan.tensors}
    assert not backend.rows
    with open_gguf(path) as file:
        for name, data in backend.mapped.items():
            np.testing.assert_array_equal(data, file.read(name).reshape(-1))
            assert not data.flags.writeable


def test_a_file_that_shrinks_while_read_is_named_with_tensor_and_bytes(made: Any, tmp_path: Path) -> None:
    path = shutil.copy(made("tiny-gpt-oss"), tmp_path / "shrinking.gguf")

    class Shrinking(Recorder):
        def place(self, tensor: StoredTensor, first_row: int, rows: NDArray[np.uint8]) -> None:
            with path.open("r+b") as file:
                file.truncate(path.stat().st_size // 2)
            super().place(tensor, first_row, rows)

    with pytest.raises(
        LoadError, match=r"rows \d+ to \d+ \([\d,]+ bytes\), could not be read: .*shrinking\.gguf.*changed"
    ):
        load(path, MERGED, Shrinking())


def test_an_error_of_one_reader_stops_the_others_and_leaves_no_thread(made: Any) -> None:
    class Full(Recorder):
        def place(self, tensor: StoredTensor, *_: Any) -> None:
            raise OutOfMemoryError(f"{tensor.name} does not fit")

    with pytest.raises(OutOfMemoryError, match="does not fit"):
        load(made("tiny-gpt-oss"), MERGED, Full())
    assert threading.active_count() == 1


def test_an_error_of_the_system_names_the_file_and_the_tensor(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.preadv", broken)
    with pytest.raises(LoadError, match=r"\S+, rows \d+ to \d+ .* could not be read: .*\.gguf: Input/output error"):
        load(made("tiny-gpt-oss"), MERGED, Recorder())


def test_a_session_that_cannot_load_closes_what_it_opened(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    class Full(Recorder):
        def place(self, tensor: StoredTensor, *_: Any) -> None:
            raise OutOfMemoryError(f"{tensor.name} does not fit")

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr("harness.core.session.backend_for", lambda *_: Full())
    with pytest.raises(OutOfMemoryError, match="does not fit"):
        Session.open(made("tiny-gpt-oss"), MERGED)
    assert closed == [True]


@pytest.mark.parametrize(("kept", "says"), [(0.5, "could not be read|beyond the end|truncated"), (0.0, "")])
def test_a_truncated_file_is_refused_before_anything_is_loaded(
    made: Any, tmp_path: Path, kept: float, says: str
) -> None:
    path = shutil.copy(made("tiny-gpt-oss"), tmp_path / "cut.gguf")
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * kept))
    with pytest.raises(GgufError, match=rf"cut\.gguf.*{says}"):
        Session.open(path, MERGED)


def test_columns_that_are_cut_off_arrive_as_the_file_has_them(made: Any) -> None:
    path, backend = made("tiny-gpt-oss"), Recorder()
    options = Options(devices=("reference", "reference:1"), split_mode="graph", tensor_split=(3, 2))
    plan = load(path, options, ByDevice(backend), chunk_bytes=3000)
    with open_gguf(path) as file:
        down = file.read("blk.0.ffn_down_exps.weight")
    parts = [backend.rows[f"{device}:blk.0.ffn_down_exps.weight"] for device in plan.devices]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), down)


def test_a_stopped_queue_is_empty(made: Any) -> None:
    with open_gguf(made("tiny-gpt-oss")) as file:
        plan = make_plan(read_model(file), MERGED)
        chunks = list(cut(plan.tensors[0], 4096))
        assert list(_Queue(chunks, file)) == chunks
        queue = _Queue(chunks, file)
        queue.stop()
        assert list(queue) == []


def test_what_is_read_was_asked_for_and_little_else(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk works ahead, but not so far that what it fetched is gone again."""
    lock, asked, ahead = threading.Lock(), list[tuple[int, int, int]](), [0]
    ask, read_into = GgufFile.ask, GgufFile.read_into

    def asking(file: GgufFile, shard: int, offset: int, n_bytes: int) -> None:
        with lock:
            asked.append((shard, offset, offset + n_bytes))
            ahead.append(ahead[-1] + n_bytes)
        ask(file, shard, offset, n_bytes)

    def reading(file: GgufFile, shard: int, offset: int, out: NDArray[np.uint8]) -> None:
        with lock:
            assert any(of == shard and begin <= offset and offset + len(out) <= end for of, begin, end in asked)
            ahead.append(ahead[-1] - len(out))
        read_into(file, shard, offset, out)

    monkeypatch.setattr(GgufFile, "ask", asking)
    monkeypatch.setattr(GgufFile, "read_into", reading)
    load(made("tiny-gpt-oss"), replace(MERGED, merge_up_gate=False, merge_qkv=False), Recorder(), chunk_bytes=4096)
    assert ahead[-1] == 0
    assert 0 < max(ahead) <= (2 * ASKED_AT_ONCE + n_readers()) * 4096
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("merged", [False, True])
def test_what_adjoins_is_asked_for_at_once(made: Any, merged: bool) -> None:
    """However many chunks a merge cuts its experts into."""
    with open_gguf(made("tiny-gpt-oss")) as file:
        plan = make_plan(read_model(file), replace(MERGED, merge_up_gate=merged, merge_qkv=False))
        parts = [p for t in plan.tensors for chunk in cut(t, 4096) for p in chunk.fragments]
        found = adjoined(parts)
        gaps = [(b - end, of == shard) for (shard, _, end), (of, b, _) in pairwise(found)]
        assert all(gap > 0 or not same for gap, same in gaps)
        assert sum(end - begin for _, begin, end in found) == sum(part.span_bytes for part in parts)
        assert len(found) <= len(file.tensors) < len(parts)


def test_merged_experts_are_read_as_they_come_in_the_file(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[int, int]] = []
    read_into = GgufFile.read_into

    def reading(file: GgufFile, shard: int, offset: int, out: NDArray[np.uint8]) -> None:
        read.append((shard, offset))
        read_into(file, shard, offset, out)

    monkeypatch.setattr(GgufFile, "read_into", reading)
    monkeypatch.setattr("harness.core.loader.stream.n_readers", lambda: 1)
    placed: list[int] = []
    where: list[tuple[int, int]] = []

    class Listening(Recorder):
        def place(self, tensor: StoredTensor, first_row: int, rows: NDArray[np.uint8]) -> None:
            super().place(tensor, first_row, rows)
            if tensor.name == "blk.0.ffn_gate_up_exps.weight":
                placed.append(first_row)
                where.append(read[-1])

    load(made("tiny-gpt-oss"), MERGED, Listening(), chunk_bytes=1 << 14)
    assert len(placed) > 16, "every expert has chunks of its own"
    assert placed != sorted(placed), "all of gate before all of up"
    assert where == sorted(where)
