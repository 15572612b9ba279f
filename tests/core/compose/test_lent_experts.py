"""Experts that lie on the CPU and are borrowed by the GPU for large ubatches: the same bits, and no byte too many."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.backend import TimesSizes
from harness.core.cuda.api import Address
from harness.core.cuda.borrowing import Borrowing
from harness.core.cuda.emulator.device import EmulatedBuffer, EmulatedDevice, Schedule
from harness.core.errors import GgufError
from harness.core.loader.rereading import FileRows
from harness.core.options import Options
from harness.core.paying import Probe
from harness.core.plan.lending import room_bytes
from harness.core.program.op import Sizes
from harness.core.session import Session

GPU, CPU = "cuda-emulated:0", "cpu:0"
LEAST, UBATCH = 4, 7
LENT = Options(devices=(GPU,), cpu_moe=True, expert_copy=LEAST, ubatch=UBATCH, n_ctx=32)
TOKENS = np.random.default_rng(5).integers(0, 331, 17)
"""Two ubatches above the threshold, one below."""
MIXED = {"default": "Q8_0", "ffn_gate": "Q4_K", "ffn_up": "Q4_K"}
WITH_HEADERS = {"default": "F16", "ffn_gate": "IQ4_KS", "ffn_up": "IQ4_KS"}
SPARSE: dict[str, Any] = {"n_layer": 2, "n_embd": 256, "n_ff": 96, "n_expert": 24, "top_k": 2}
"""Ragged rows, and experts of which a ubatch uses some."""


def logits(path: Path, options: Options) -> NDArray[np.float32]:
    """Of a prompt in ubatches of different sizes, then of tokens one by one, then of the last of some."""
    with Session.open(path, options) as session:
        found = [session.logits(TOKENS), np.stack([session.decode(int(token)) for token in TOKENS[:2]])]  # type: ignore[type-var]
        last = session.prefill(TOKENS[:6], "last")
        assert last is not None
        return np.concatenate([*found, last])


CELLS = [
    {"merge_up_gate": merged, "fused_moe": fused, "moe_path": path}
    for merged in (False, True)
    for fused in (False, True)
    for path in ("grouped", "per_expert")
]


@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.parametrize("model", ["tiny-gpt-oss", "tiny-qwen3moe"])
def test_borrowed_experts_give_the_bits_of_the_cpu(made: Any, model: str, cell: dict[str, Any]) -> None:
    alone = Options(devices=(CPU,), ubatch=UBATCH, n_ctx=32)
    expected = logits(made(model), replace(alone, **cell))
    np.testing.assert_array_equal(logits(made(model), replace(LENT, **cell)), expected)


@pytest.mark.parametrize("least", [1, UBATCH])
def test_every_ubatch_or_only_full_ones_may_borrow(made: Any, least: int) -> None:
    path = made("tiny-mixtral")
    found = logits(path, replace(LENT, expert_copy=least, merge_up_gate=True))
    np.testing.assert_array_equal(found, logits(path, replace(LENT, expert_copy="off")))


@pytest.mark.parametrize("formats", [{"default": "F16"}, MIXED, WITH_HEADERS], ids=str)
def test_formats_with_and_without_tiles_and_with_headers_are_borrowed(made: Any, formats: dict[str, str]) -> None:
    path = made("qwen3moe", formats, **SPARSE)
    expected = logits(path, Options(devices=(CPU,), ubatch=UBATCH, n_ctx=32))
    np.testing.assert_array_equal(logits(path, LENT), expected)


def test_two_gpus_borrow_for_their_own_layers(made: Any) -> None:
    path, two = made("tiny-gpt-oss"), ("cuda-emulated:0", "cuda-emulated:1")
    options = replace(LENT, devices=two, split_mode="layer", n_cpu_moe=3, cpu_moe=False)
    np.testing.assert_array_equal(logits(path, options), logits(path, replace(LENT, expert_copy="off")))


class Watched(EmulatedDevice):
    """Notes what is allocated, and what is uploaded to where."""

    opened: list["Watched"]

    def __init__(self) -> None:
        super().__init__()
        self.rooms: list[EmulatedBuffer] = []
        self.uploads: Counter[int] = Counter()
        Watched.opened.append(self)

    def allocate(self, n_bytes: int, what: str) -> EmulatedBuffer:
        made = super().allocate(n_bytes, what)
        self.uploads[id(made)] = 0  # the number may have been that of a buffer which is gone
        if "the room for" in what:
            self.rooms.append(made)
        return made

    def upload(self, to: Address, data: NDArray[np.generic]) -> None:
        self.uploads[id(to.buffer)] += data.nbytes
        super().upload(to, data)

    @property
    def borrowed_bytes(self) -> int:
        return sum(self.uploads[id(room)] for room in self.rooms)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[Watched]:
    Watched.opened = []
    monkeypatch.setattr("harness.core.cuda.emulator.device.EmulatedDevice", Watched)
    return Watched.opened


@pytest.mark.parametrize("merged", [False, True], ids=["apart", "merged"])
@pytest.mark.parametrize("formats", [{"default": "BF16"}, MIXED], ids=str)
def test_the_bytes_of_activated_experts_are_copied_and_no_others(
    made: Any, watched: list[Watched], monkeypatch: pytest.MonkeyPatch, formats: dict[str, str], merged: bool
) -> None:
    path, read = made("qwen3moe", formats, **SPARSE), Counter[tuple[str, int]]()
    call = FileRows.__call__

    def noted(self: FileRows, first_row: int, n_rows: int) -> NDArray[np.uint8]:
        read.update((self._name, row) for row in range(first_row, first_row + n_rows))
        return call(self, first_row, n_rows)

    monkeypatch.setattr(FileRows, "__call__", noted)
    with Session.open(path, replace(LENT, merge_up_gate=merged)) as session:
        assert not read
        session.prefill(TOKENS[:LEAST], "all")
        used = session.expert_counts() > 0
        assert 0 < used.sum(axis=1).max() < used.shape[1]
        expected = Counter[tuple[str, int]]()
        n_bytes = 0
        for tensor in session.plan.borrowed:
            layer, rows = int(tensor.name.split(".")[1]), tensor.shape[1]
            for expert in np.flatnonzero(used[layer]):
                expected.update((tensor.name, int(row)) for row in range(expert * rows, (expert + 1) * rows))
                n_bytes += rows * tensor.row_bytes
        assert read == expected
        assert watched[0].borrowed_bytes == n_bytes
        session.prefill(TOKENS[: LEAST - 1], "all")
        assert watched[0].borrowed_bytes == n_bytes


def test_layers_take_turns_in_rooms_that_the_plan_counts_and_no_later_context_asks_for_more(
    made: Any, watched: list[Watched]
) -> None:
    with Session.open(made("tiny-gpt-oss"), replace(LENT, merge_up_gate=True)) as session:
        session.new_context(16)
        session.prefill(TOKENS[:7])
        (device,), plan = watched, session.plan
        assert sum(room.n_bytes for room in device.rooms) == room_bytes(plan.borrowed)[GPU]
        assert len(device.rooms) == len({tensor.name.split(".", 2)[2] for tensor in plan.borrowed}) + 1
        assert len(plan.borrowed) == 2 * 3


def test_experts_that_are_not_brought_are_missed(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made("tiny-qwen3moe")
    expected = logits(path, replace(LENT, expert_copy="off"))
    bring = Borrowing.bring
    monkeypatch.setattr(
        Borrowing, "bring", lambda self, op, experts: bring(self, op, experts[: max(1, len(experts) - 1)])
    )
    assert not np.array_equal(logits(path, LENT), expected)


@pytest.mark.parametrize("schedule", Schedule)
def test_no_access_of_borrowed_experts_is_out_of_order_or_out_of_bounds(
    made: Any, monkeypatch: pytest.MonkeyPatch, schedule: Schedule
) -> None:
    device = EmulatedDevice(checked=True, schedule=schedule, seed=1)
    monkeypatch.setattr("harness.core.cuda.emulator.device.EmulatedDevice", lambda: device)
    path = made("qwen3moe", MIXED, **SPARSE)
    with Session.open(path, replace(LENT, merge_up_gate=True)) as session:
        session.prefill(TOKENS, "none")
    assert device.reports() == ""


def test_experts_are_counted_whoever_routes(made: Any) -> None:
    counts = []
    for choice in (LEAST, "off"):
        with Session.open(made("tiny-qwen3moe"), replace(LENT, expert_copy=choice)) as session:  # type: ignore[arg-type]
            session.prefill(TOKENS, "all")
            counts.append(session.expert_counts())
    np.testing.assert_array_equal(*counts)
    assert counts[0].sum() == 17 * 3 * len(counts[0])


def test_each_size_of_ubatch_goes_its_own_way(made: Any) -> None:
    with Session.open(made("tiny-gpt-oss"), LENT) as session:
        spent = []
        for n_tokens in (LEAST - 1, LEAST):
            session.new_context(32)
            session.prefill(TOKENS[:n_tokens], "all")
            context = session._context
            assert isinstance(context, TimesSizes)
            spent.append(context.ns_by_sizes())
    few, many = Sizes(most=LEAST - 1), Sizes(least=LEAST)
    assert spent[0].get(few, 0) > 0 == spent[0].get(many, 0)
    assert spent[1].get(many, 0) > 0 == spent[1].get(few, 0)


def test_auto_borrows_from_where_two_measured_times_say_so(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path, asked = made("tiny-gpt-oss"), []

    def probed(context: Any, n_tokens: int, n_vocab: int) -> Probe:
        asked.append((n_tokens, n_vocab))
        return Probe(n_tokens, lender_ns=600, borrower_ns=500)

    monkeypatch.setattr("harness.core.session._measures", lambda _plan: True)
    monkeypatch.setattr("harness.core.session.probe", probed)
    with Session.open(path, replace(LENT, expert_copy="auto")) as session:
        assert asked == [(UBATCH, 331)]
        assert session.plan.lends_measured
        assert session.plan.lends_from == 5  # 100 ns a token; 500 ns for the 7.70 of 8 experts that 7 tokens use
        assert {op.sizes for op in session.program.ops if op.name == "route"} == {Sizes(most=4), Sizes(least=5)}


def test_measuring_runs_both_ways_and_changes_no_logits(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made("tiny-gpt-oss")
    expected = logits(path, replace(LENT, expert_copy="off"))
    monkeypatch.setattr("harness.core.session._measures", lambda _plan: True)
    np.testing.assert_array_equal(logits(path, replace(LENT, expert_copy="auto")), expected)


def test_a_file_that_shrinks_under_a_session_is_an_error(made: Any, tmp_path: Path) -> None:
    path = tmp_path / "shrinking.gguf"
    path.write_bytes(made("tiny-gpt-oss").read_bytes())
    with Session.open(path, LENT) as session:
        os.truncate(path, path.stat().st_size - 1)
        with pytest.raises(GgufError, match="the file changed while it was read"):
            session.prefill(TOKENS[:UBATCH], "all")
