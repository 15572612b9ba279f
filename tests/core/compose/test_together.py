"""CPU devices that run natively side by side give the bits of devices whose values pass through Python."""

import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.compose.backend import ComposedBackend
from harness.core.compose.context import ComposedContext
from harness.core.compose.together import ContextTogether
from harness.core.cpu.native_module import native
from harness.core.errors import SessionError
from harness.core.options import Options
from harness.core.session import Session

TOKENS = np.array([3, 141, 59, 26, 53, 58, 97], np.int32)
TWO, THREE = ("cpu:0", "cpu:1"), ("cpu:0", "cpu:1", "cpu:2")
SPLITS: list[dict[str, Any]] = [
    {"devices": TWO, "split_mode": "graph"},
    {"devices": TWO, "split_mode": "graph", "reduce_type": "f16"},
    {"devices": TWO, "split_mode": "graph", "reduce_type": "bf16", "threads": 4},
    {"devices": THREE, "split_mode": "graph", "tensor_split": (1, 2, 1), "threads": 5},
    {"devices": THREE, "split_mode": "layer"},
    {"devices": TWO, "split_mode": "graph", "override_tensor": ((r"blk\.1\.attn", "cpu:1"),)},
    {"devices": TWO, "split_mode": "row"},
    {"devices": THREE, "split_mode": "row", "tensor_split": (1, 2, 1), "main_gpu": 1, "threads": 5},
    {"devices": THREE, "split_mode": "row", "tensor_split": (0, 1, 1)},
    {"devices": TWO, "split_mode": "row", "tensor_split": (1, 0), "main_gpu": 1, "moe_path": "per_expert"},
    {"devices": TWO, "split_mode": "row", "fused_moe": False, "merge_up_gate": True, "layout": "packed"},
    {"devices": THREE, "split_mode": "row", "override_tensor": ((r"blk\.1\.ffn_down", "cpu:2"),)},
]


def logits(path: Any, options: Options, expected: type) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Of a prompt in ubatches, of another one's last token, of single tokens; and what routers counted."""
    with Session.open(path, options) as session:
        assert isinstance(session._context, expected)
        found = [session.logits(TOKENS), session.prefill(TOKENS[:6], "last"), session.logits(TOKENS, step=True)]
        return np.concatenate([part for part in found if part is not None]), session.expert_counts()


@pytest.mark.parametrize("split", SPLITS, ids=str)
@pytest.mark.parametrize("model", ["tiny-gpt-oss", "tiny-llama"])
def test_together_gives_the_bits_of_the_path_through_python(
    made: Any, model: str, split: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(**split, n_ctx=16, ubatch=4)
    found = logits(made(model), options, ContextTogether)
    monkeypatch.setattr(ComposedBackend, "_together", ComposedBackend._through_the_host)
    expected = logits(made(model), options, ComposedContext)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize(
    ("down", "n_ff", "ubatch"), [("Q8_0", 96, 1), ("Q8_0", 288, 7), ("BF16", 96, 7), ("BF16", 288, 1), ("Q4_K", 768, 3)]
)
def test_activations_cross_as_floats_and_as_codes_of_any_width(
    made: Any, down: str, n_ff: int, ubatch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 96 columns one device makes none, and multiplies its rows of down by all of them."""
    formats = {"default": "Q8_0", "ffn_down": down}
    path = made("qwen3moe", formats, n_layer=2, n_ff=n_ff, n_expert=5, top_k=3)
    options = Options(devices=THREE, split_mode="row", tensor_split=(3, 1, 2), n_ctx=16, ubatch=ubatch)
    found = logits(path, options, ContextTogether)
    monkeypatch.setattr(ComposedBackend, "_together", ComposedBackend._through_the_host)
    expected = logits(path, options, ComposedContext)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    alone, counts = logits(path, Options(n_ctx=16, ubatch=ubatch), object)
    assert np.linalg.norm(found[0] - alone) / np.linalg.norm(alone) < 3e-2
    np.testing.assert_array_equal(found[1], counts)


@pytest.mark.parametrize("model", ["tiny-llama", "tiny-gpt-oss"])
def test_rows_together_give_about_the_logits_of_one_device(made: Any, model: str) -> None:
    rows = Options(devices=TWO, split_mode="row", n_ctx=16, ubatch=4)
    alone, _ = logits(made(model), Options(n_ctx=16, ubatch=4), object)
    found, _ = logits(made(model), rows, ContextTogether)
    assert np.linalg.norm(found - alone) / np.linalg.norm(alone) < 3e-2


def test_tokens_that_do_not_fit_are_refused_and_the_next_ones_run(made: Any) -> None:
    with Session.open(made("tiny-gpt-oss"), Options(devices=TWO, split_mode="graph", n_ctx=16, ubatch=4)) as session:
        first = session.logits(TOKENS)
        with pytest.raises(SessionError, match="does not fit the context"):
            session._context.run(TOKENS[:4], 14, "none")
        np.testing.assert_array_equal(session.logits(TOKENS), first)


def test_no_thread_is_left_when_one_of_the_devices_has_no_memory(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.core.cpu import member

    before, made_so_far = threading.active_count(), []

    def second_fails(*arguments: Any) -> Any:
        made_so_far.append(1)
        if len(made_so_far) == 2:
            raise MemoryError
        return context(*arguments)

    context = member.native_context
    monkeypatch.setattr(member, "native_context", second_fails)
    with pytest.raises(Exception, match="needs more memory than the host has left"):
        Session.open(made("tiny-gpt-oss"), Options(devices=TWO, split_mode="graph", n_ctx=16, ubatch=4))
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda e: e.part(0, True, [(0, 1)], 0, 0), "not another one"),
        (lambda e: e.part(0, True, [(2, 1)], 0, 0), "not another one"),
        (lambda e: e.part(1, True, [], 0, 1), "no such operations"),
        (lambda e: e.gather(0, True, [], [], (0, 8)), "reads nothing"),
        (lambda e: e.gather(0, True, [], [(1, (0, 8)), (0, (0, 8))], (0, 8)), "not the output's"),
        (lambda e: e.gather(0, True, [], [(1, (-1, 8))], (0, 8)), "not kept"),
        (lambda e: e.reduce(0, True, [], [(1, (0, 4))], (0, 8), "f32", False), "differ in size"),
        (lambda e: e.reduce(0, True, [], [(1, (0, 8))], (0, 8), "f32", True), "nothing is reduced"),
        (lambda e: e.reduce(0, True, [], [(1, (0, 9))], (0, 8), "f32", False), "does not fit"),
        (lambda e: e.reduce(0, True, [], [(1, (0, 8))], (0, 8), "f8", False), "unknown choice"),
        (lambda e: e.gather_acts(0, True, [], [], (0, 8), 2), "reads nothing"),
        (lambda e: e.gather_acts(0, True, [], [(1, (0, 6))], (0, 8), 2), "not the output's"),
        (lambda e: e.gather_acts(0, True, [], [(1, (0, 8))], (0, 8), 3), "no whole slots"),
        (lambda e: e.gather_acts(0, True, [], [(1, (0, 8))], (0, 8), 0), "at least one slot"),
        (lambda e: e.gather_acts(0, True, [], [(1, (-1, 8))], (0, 8), 2), "no such handle"),
    ],
)
def test_steps_that_do_not_fit_are_refused(call: Any, why: str) -> None:
    contexts = [
        native().Context(kernels="scalar", ubatch=4, n_ctx=8, n_vocab=16, n_threads=1, buffers=[8]) for _ in "ab"
    ]
    for context in contexts:
        context.act_from_outside((0, 8))
    with pytest.raises(ValueError, match=why):
        call(native().Ensemble(contexts))
