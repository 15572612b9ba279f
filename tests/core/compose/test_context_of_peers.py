"""CUDA devices that share a program: values stay on them, with the bits of the path through the host's memory."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.compose.backend import ComposedBackend
from harness.core.compose.context import ComposedContext
from harness.core.compose.peers import ContextOfPeers
from harness.core.cuda.api import Address
from harness.core.cuda.emulator.communicator import EmulatedCommunicator, _Meeting
from harness.core.cuda.emulator.device import EmulatedDevice
from harness.core.options import Options
from harness.core.session import Session

TOKENS = np.array([3, 141, 59, 26, 53, 58, 97], np.int32)
TWO = ("cuda-emulated:0", "cuda-emulated:1")
THREE = (*TWO, "cuda-emulated:2")
SPLITS: list[dict[str, Any]] = [
    {"devices": TWO, "split_mode": "layer"},
    {"devices": TWO, "split_mode": "graph"},
    {"devices": TWO, "split_mode": "graph", "reduce_type": "f16"},
    {"devices": TWO, "split_mode": "row", "fused_moe": False},
    {"devices": THREE, "split_mode": "layer", "override_tensor": ((r"blk\.1\.attn", TWO[0]),)},
    {"devices": THREE, "split_mode": "graph", "reduce_type": "bf16", "tensor_split": (1, 2, 1)},
    {"devices": THREE, "split_mode": "graph", "override_tensor": ((r"blk\.1\.ffn_down", THREE[2]),)},
    {"devices": THREE, "split_mode": "row", "tensor_split": (0, 1, 1), "main_gpu": 1},
    {"devices": THREE, "split_mode": "row", "merge_up_gate": True, "flash_attn": True},
]
COPIES, AT_ONCE = "copies", "at once"
CASES = [
    (model, split, transport)
    for model, splits in (("tiny-gpt-oss", SPLITS), ("tiny-llama", (SPLITS[3], SPLITS[5])))
    for split in splits
    for transport in ((COPIES, AT_ONCE) if split["split_mode"] == "graph" else (COPIES,))
]
"""Partial sums that are for all devices come by copies, or all at once; only `graph` has such."""
Result = tuple[NDArray[np.float32], NDArray[np.int64]]


def through_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ComposedBackend, "_as_peers", ComposedBackend._through_the_host)


def copying(monkeypatch: pytest.MonkeyPatch) -> None:
    """Emulated devices as cards without NCCL."""
    monkeypatch.setattr(EmulatedDevice, "communicator", lambda _self, _devices: None)


@pytest.fixture
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of partial sums in this test."""
    if request.param == COPIES:
        copying(monkeypatch)
    chosen: str = request.param
    return chosen


def asked(session: Session) -> Result:
    """Logits of a prompt in ubatches, of another one's last token, of single tokens; and what routers counted."""
    found = [session.logits(TOKENS), session.prefill(TOKENS[:6], "last"), session.logits(TOKENS[:3], step=True)]
    return np.concatenate([part for part in found if part is not None]), session.expert_counts()


def result(path: Any, options: Options, expected: type) -> Result:
    with Session.open(path, options) as session:
        assert isinstance(session._context, expected)
        return asked(session)


def devices_of(session: Session) -> list[EmulatedDevice]:
    context: Any = session._context
    return [member.device for member in context._members.values()]


@pytest.mark.parametrize(("model", "split", "transport"), CASES, ids=str, indirect=["transport"])
def test_peers_give_the_bits_of_the_path_through_the_host(
    made: Any, model: str, split: dict[str, Any], transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, traffic = Options(**split, n_ctx=16, ubatch=4), Traffic(monkeypatch)
    found = result(made(model), options, ContextOfPeers)
    assert (traffic.at_once != []) == (transport == AT_ONCE)
    through_the_host(monkeypatch)
    expected = result(made(model), options, ComposedContext)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_a_layer_split_over_peers_gives_the_bits_of_one_device(made: Any) -> None:
    options = Options(devices=THREE, split_mode="layer", n_ctx=16, ubatch=4)
    with Session.open(made("tiny-qwen3moe"), Options(devices=TWO[:1], n_ctx=16, ubatch=4)) as alone:
        expected = asked(alone)
    np.testing.assert_array_equal(result(made("tiny-qwen3moe"), options, ContextOfPeers)[0], expected[0])


@pytest.mark.parametrize("eager", [0, 1, 2])
@pytest.mark.parametrize(
    ("mode", "transport"), [("graph", COPIES), ("graph", AT_ONCE), ("row", COPIES)], indirect=["transport"]
)
def test_whichever_device_runs_ahead_the_bits_are_the_same(made: Any, mode: Any, transport: str, eager: int) -> None:
    """Emulated devices work when they must; one that works at once overwrites what it was not told to keep."""
    options = Options(devices=THREE, split_mode=mode, n_ctx=16, ubatch=4)
    with Session.open(heads_for_three(made), options) as session:
        expected = asked(session)[0]
        session.new_context(16)
        work_at_once(devices_of(session)[eager])
        np.testing.assert_array_equal(asked(session)[0], expected)


def heads_for_three(made: Any) -> Any:
    """A model that three devices share whole, so that all of its sums are for all of them."""
    return made("gpt-oss", {"default": "Q8_0"}, n_head_kv=3, n_layer=2)


def work_at_once(device: EmulatedDevice) -> None:
    enqueue = device.enqueue

    def enqueue_and_run(work: Callable[[], None]) -> None:
        enqueue(work)
        device.synchronize()

    device.enqueue = enqueue_and_run  # type: ignore[method-assign]


def test_a_device_that_does_not_wait_for_another_is_caught(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the waits are needed, and the tests above can fail."""
    copying(monkeypatch)
    options = Options(devices=TWO, split_mode="graph", n_ctx=16, ubatch=4)
    expected = result(made("tiny-gpt-oss"), options, ContextOfPeers)
    monkeypatch.setattr(EmulatedDevice, "wait", lambda _self, _marker: None)
    with np.errstate(invalid="ignore"):
        assert not np.array_equal(result(made("tiny-gpt-oss"), options, ContextOfPeers)[0], expected[0])


@pytest.mark.parametrize("wire", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("devices", [TWO, THREE], ids=len)
def test_sums_exchanged_at_once_have_the_bits_of_copies_and_of_the_host(
    made: Any, wire: Any, devices: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(devices=devices, split_mode="graph", reduce_type=wire, n_ctx=16, ubatch=4)
    traffic = Traffic(monkeypatch)
    found = result(heads_for_three(made), options, ContextOfPeers)[0]
    n_ubatches, n_layers = 1 + 2 + 2 + 3, 2  # the first one is a session's own, when it is opened
    assert len(traffic.at_once) == 2 * n_layers * n_ubatches - 2  # of one ubatch nobody wants what the last layer adds
    copying(monkeypatch)
    expected = result(heads_for_three(made), options, ContextOfPeers)[0]
    assert found.tobytes() == expected.tobytes()
    through_the_host(monkeypatch)
    np.testing.assert_array_equal(found, result(heads_for_three(made), options, ComposedContext)[0])


def test_pieces_that_land_in_another_order_are_another_sum(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the order of ranks matters, and the test above can fail. Two numbers have one sum; of three it is another."""
    options = Options(devices=THREE, split_mode="graph", n_ctx=16, ubatch=4)
    expected = result(heads_for_three(made), options, ContextOfPeers)[0]
    come = _Meeting.come

    def come_in_another_order(meeting: _Meeting) -> None:
        meeting._sent = tuple(reversed(meeting._sent))
        come(meeting)

    monkeypatch.setattr(_Meeting, "come", come_in_another_order)
    found = result(heads_for_three(made), options, ContextOfPeers)[0]
    assert not np.array_equal(found, expected)
    assert np.abs(found - expected).max() < 1e-2 * np.abs(expected).max()  # and it is a sum of the same numbers


def test_an_exchange_that_begins_before_all_partial_sums_are_made_is_caught(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the time of an exchange matters: here none waits for what stands before it on the other devices."""
    options = Options(devices=TWO, split_mode="graph", n_ctx=16, ubatch=4)
    expected = result(made("tiny-gpt-oss"), options, ContextOfPeers)[0]
    come = _Meeting.come

    def come_early(meeting: _Meeting) -> None:
        meeting._before = ()
        come(meeting)

    monkeypatch.setattr(_Meeting, "come", come_early)
    with np.errstate(invalid="ignore"):
        assert not np.array_equal(result(made("tiny-gpt-oss"), options, ContextOfPeers)[0], expected)


def test_what_fewer_than_all_devices_add_up_is_copied(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two devices have heads, three have columns: attention's sums are copied, and only the last one is for all."""
    options = Options(devices=THREE, split_mode="graph", n_ctx=16, ubatch=4)
    traffic = Traffic(monkeypatch)
    with Session.open(made("tiny-gpt-oss"), options) as session:
        traffic.of(session, TOKENS[:4])
        n_embd = session.program.n_embd
    assert traffic.at_once == [n_embd * 4] * 2  # of the last token of a prompt, and of a token after it
    assert traffic.across.count(4 * n_embd * 4) > 0


def test_an_exchange_takes_the_memory_of_one_partial_sum_more(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them land, the device's own too; and nothing is kept for copies that are not made."""
    used = []
    for wire, size in (("f32", 4), ("f16", 2)):
        options = Options(devices=THREE, split_mode="graph", reduce_type=wire, n_ctx=16, ubatch=4)
        for change in (lambda: None, lambda: copying(monkeypatch)):
            change()
            with Session.open(heads_for_three(made), options) as session:
                used.append([device._used for device in devices_of(session)])
                n_bytes = options.ubatch * session.program.n_embd * size
        monkeypatch.undo()
        at_once, copies = used[-2:]
        assert [a - b for a, b in zip(at_once, copies, strict=True)] == [n_bytes] * 3


def test_a_sessions_devices_join_once_for_all_contexts_and_leave_at_the_end(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined, closed = [], []
    join = EmulatedDevice.communicator

    def counted(device: EmulatedDevice, devices: Sequence[EmulatedDevice]) -> EmulatedCommunicator | None:
        joined.append(join(device, devices))
        return joined[-1]

    monkeypatch.setattr(EmulatedDevice, "communicator", counted)
    monkeypatch.setattr(EmulatedCommunicator, "close", lambda communicator: closed.append(id(communicator)))
    with Session.open(made("tiny-gpt-oss"), Options(devices=TWO, split_mode="graph", n_ctx=16, ubatch=4)) as session:
        session.new_context(16)
        session.prefill(TOKENS)
        assert closed == []
    assert closed == [id(each) for each in joined]
    assert len(joined) == 1


@pytest.mark.parametrize("mode", ["layer", "row"])
def test_devices_without_sums_for_all_do_not_join(made: Any, mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(EmulatedDevice, "communicator")
    with Session.open(made("tiny-gpt-oss"), Options(devices=TWO, split_mode=mode, n_ctx=16, ubatch=4)) as session:
        session.prefill(TOKENS)


class Traffic:
    """Bytes of every upload, download and copy of all emulated devices, and of the pieces they exchange at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.up: list[int] = []
        self.down: list[int] = []
        self.across: list[int] = []
        self.at_once: list[int] = []
        all_gather = EmulatedCommunicator.all_gather
        upload, download, copy = EmulatedDevice.upload, EmulatedDevice.download, EmulatedDevice.copy

        def counted_upload(device: EmulatedDevice, to: Address, data: NDArray[np.generic]) -> None:
            self.up.append(data.nbytes)
            upload(device, to, data)

        def counted_download(device: EmulatedDevice, source: Address, n_bytes: int) -> NDArray[np.uint8]:
            self.down.append(n_bytes)
            return download(device, source, n_bytes)

        def counted_copy(device: EmulatedDevice, to: Address, source: Address, n_bytes: int) -> None:
            self.across.append(n_bytes)
            copy(device, to, source, n_bytes)

        def counted_all_gather(
            communicator: EmulatedCommunicator, pieces: Sequence[Address], to: Sequence[Address], n_bytes: int
        ) -> None:
            self.at_once.append(n_bytes)
            all_gather(communicator, pieces, to, n_bytes)

        monkeypatch.setattr(EmulatedCommunicator, "all_gather", counted_all_gather)
        monkeypatch.setattr(EmulatedDevice, "upload", counted_upload)
        monkeypatch.setattr(EmulatedDevice, "download", counted_download)
        monkeypatch.setattr(EmulatedDevice, "copy", counted_copy)

    def of(self, session: Session, tokens: NDArray[np.int32]) -> None:
        """From here on, what a prompt and a token after it take; the last one's logits come back each time."""
        for counted in (self.up, self.down, self.across, self.at_once):
            counted.clear()
        session.reset()
        session.prefill(tokens)
        session.decode(5)


@pytest.mark.parametrize("mode", ["layer", "graph", "row"])
@pytest.mark.parametrize("devices", [TWO, THREE], ids=len)
def test_nothing_but_tokens_positions_and_logits_passes_the_host(
    made: Any, mode: Any, devices: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic = Traffic(monkeypatch)
    with Session.open(made("tiny-gpt-oss"), Options(devices=devices, split_mode=mode, n_ctx=16, ubatch=4)) as session:
        traffic.of(session, TOKENS[:4])
        assert set(traffic.up) == {4, 16}  # a token or a position, and four tokens
        assert traffic.down == [session.model.n_vocab * 4] * 2
        assert sum(traffic.across) + sum(traffic.at_once) > 0


@pytest.mark.parametrize(
    "devices", [("cuda-emulated:0", "cpu:0"), (*TWO, "cpu:0"), ("cuda-emulated:0", "reference-q8")], ids=",".join
)
def test_what_a_device_of_another_kind_has_a_part_in_goes_through_the_host(
    made: Any, devices: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic = Traffic(monkeypatch)
    with Session.open(
        made("tiny-gpt-oss"), Options(devices=devices, split_mode="graph", n_ctx=16, ubatch=4)
    ) as session:
        assert isinstance(session._context, ComposedContext)
        traffic.of(session, TOKENS[:4])
        assert max(traffic.up) == 4 * 4 * session.program.n_embd
        assert traffic.across == []


@pytest.mark.parametrize("wire", ["f16", "bf16"])
@pytest.mark.parametrize("transport", [COPIES, AT_ONCE], indirect=True)
def test_partial_sums_cross_in_half_the_bytes_on_a_narrow_wire(
    made: Any, wire: Any, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sums a layer, each taken by the other device; in the last of three layers for the last token alone."""
    traffic, crossed = Traffic(monkeypatch), []
    for kind in ("f32", wire):
        options = Options(devices=TWO, split_mode="graph", reduce_type=kind, n_ctx=16, ubatch=4)
        with Session.open(made("tiny-gpt-oss"), options) as session:
            traffic.of(session, TOKENS[:4])
            crossed.append(sum(traffic.across) + 2 * sum(traffic.at_once))
            assert (traffic.at_once != []) == (transport == AT_ONCE)
    rows = 2 * 2 * ((4 + 4 + 1) + (1 + 1 + 1))
    assert crossed[0] - crossed[1] == rows * 2 * session.program.n_embd


def test_memory_comes_back_when_a_context_is_replaced(made: Any) -> None:
    with Session.open(made("tiny-gpt-oss"), Options(devices=TWO, split_mode="graph", n_ctx=16, ubatch=4)) as session:
        devices = devices_of(session)
        before = [device.memory_info() for device in devices]
        for _ in range(3):
            session.new_context(16)
            session.prefill(TOKENS[:4], "none")
        assert [device.memory_info() for device in devices] == before
