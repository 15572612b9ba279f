"""CUDA devices that share a program: values stay on them, with the bits of the path through the host's memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.compose.backend import ComposedBackend
from harness.core.compose.context import ComposedContext
from harness.core.compose.peers import ContextOfPeers
from harness.core.cuda.api import Address
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
Result = tuple[NDArray[np.float32], NDArray[np.int64]]


def through_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ComposedBackend, "_as_peers", ComposedBackend._through_the_host)


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


@pytest.mark.parametrize(
    ("model", "split"),
    [("tiny-gpt-oss", split) for split in SPLITS] + [("tiny-llama", split) for split in (SPLITS[3], SPLITS[5])],
    ids=str,
)
def test_peers_give_the_bits_of_the_path_through_the_host(
    made: Any, model: str, split: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(**split, n_ctx=16, ubatch=4)
    found = result(made(model), options, ContextOfPeers)
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
@pytest.mark.parametrize("mode", ["graph", "row"])
def test_whichever_device_runs_ahead_the_bits_are_the_same(made: Any, mode: Any, eager: int) -> None:
    """Emulated devices work when they must; one that works at once overwrites what it was not told to keep."""
    options = Options(devices=THREE, split_mode=mode, n_ctx=16, ubatch=4)
    with Session.open(made("tiny-gpt-oss"), options) as session:
        expected = asked(session)[0]
        session.new_context(16)
        work_at_once(devices_of(session)[eager])
        np.testing.assert_array_equal(asked(session)[0], expected)


def work_at_once(device: EmulatedDevice) -> None:
    enqueue = device._enqueue

    def enqueue_and_run(work: Callable[[], None]) -> None:
        enqueue(work)
        device.synchronize()

    device._enqueue = enqueue_and_run  # type: ignore[method-assign]


def test_a_device_that_does_not_wait_for_another_is_caught(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the waits are needed, and the tests above can fail."""
    options = Options(devices=TWO, split_mode="graph", n_ctx=16, ubatch=4)
    expected = result(made("tiny-gpt-oss"), options, ContextOfPeers)
    monkeypatch.setattr(EmulatedDevice, "wait", lambda _self, _marker: None)
    with np.errstate(invalid="ignore"):
        assert not np.array_equal(result(made("tiny-gpt-oss"), options, ContextOfPeers)[0], expected[0])


class Traffic:
    """Bytes of every upload, download and copy of all emulated devices."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.up: list[int] = []
        self.down: list[int] = []
        self.across: list[int] = []
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

        monkeypatch.setattr(EmulatedDevice, "upload", counted_upload)
        monkeypatch.setattr(EmulatedDevice, "download", counted_download)
        monkeypatch.setattr(EmulatedDevice, "copy", counted_copy)

    def of(self, session: Session, tokens: NDArray[np.int32]) -> None:
        """From here on, what a prompt and a token after it take; the last one's logits come back each time."""
        for counted in (self.up, self.down, self.across):
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
        assert sum(traffic.across) > 0


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
def test_partial_sums_cross_in_half_the_bytes_on_a_narrow_wire(
    made: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sums a layer, each taken by the other device; in the last of three layers for the last token alone."""
    traffic, crossed = Traffic(monkeypatch), []
    for kind in ("f32", wire):
        options = Options(devices=TWO, split_mode="graph", reduce_type=kind, n_ctx=16, ubatch=4)
        with Session.open(made("tiny-gpt-oss"), options) as session:
            traffic.of(session, TOKENS[:4])
            crossed.append(sum(traffic.across))
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
