"""Every split mode, merge and architecture gives the logits of one device: to the bit in split mode layer.

All devices round alike, of whatever kind they are. A sum in another order
moves the code of a quantised activation by one now and then, which tiny models amplify. So each mode is held to a tight
tolerance where activations are not quantised (the cache still rounds to f16), and where they are to a loose one, far
below what any wrong slice costs.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.options import Options
from harness.core.session import Session

TOKENS = np.array([3, 141, 59, 26, 53, 58, 97], np.int32)
MODELS = ("tiny-llama", "tiny-gpt-oss", "tiny-qwen3moe", "tiny-mixtral")
EMULATED = ("cuda-emulated:0", "cuda-emulated:1")
DEVICES = [
    ("cpu:0", "cpu:1"),
    EMULATED,
    ("cpu:0", "cuda-emulated:0"),
    ("cpu:0", "cpu:1", "cpu:2"),
    ("cuda-emulated:0", "cpu:0", "reference-q8"),
    ("reference", "reference:1", "reference:2"),
]
TIGHT, LOOSE = 1e-4, 3e-2
"""Relative L2 over all positions."""


@pytest.fixture(scope="module")
def alone(made: Any) -> Any:
    """Logits of one device, each asked for once."""

    @cache
    def ask(model: str, device: str) -> NDArray[np.float32]:
        return logits(made(model), Options(devices=(device,)))

    return ask


def logits(path: Path, options: Options) -> NDArray[np.float32]:
    """Of all positions in two ubatches, then of a token after them, with only the last one's asked for."""
    with Session.open(path, replace(options, n_ctx=16, ubatch=5)) as session:
        prompt = session.logits(TOKENS)
        last = session.prefill(TOKENS[:6], "last")
        assert last is not None
        return np.concatenate([prompt, last])


def error(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("merged", [False, True], ids=["apart", "merged"])
@pytest.mark.parametrize("mode", ["layer", "graph", "row"])
@pytest.mark.parametrize("devices", DEVICES, ids=",".join)
@pytest.mark.parametrize("model", MODELS)
def test_a_split_model_gives_the_logits_of_one_device(
    made: Any, alone: Any, model: str, devices: tuple[str, ...], mode: Any, merged: bool
) -> None:
    merges = {"merge_up_gate": merged, "merge_qkv": merged, "merge_up_gate_shared": merged}
    found = logits(made(model), Options(devices=devices, split_mode=mode, **merges))
    expected = alone(model, devices[0])
    if mode == "layer":
        np.testing.assert_array_equal(found, expected)
    else:
        assert error(found, expected) < (TIGHT if devices[0] == "reference" else LOOSE)


@pytest.mark.parametrize("merged", [False, True], ids=["apart", "merged"])
@pytest.mark.parametrize("mode", ["graph", "row"])
@pytest.mark.parametrize("devices", DEVICES[:4], ids=",".join)
@pytest.mark.parametrize("arch", ["llama", "gpt-oss", "qwen3moe"])
def test_kernels_on_plain_weights_differ_by_the_order_of_sums_alone(
    made: Any, arch: str, devices: tuple[str, ...], mode: Any, merged: bool
) -> None:
    path = made(arch, {"default": "BF16"}, n_layer=2)
    merges = {"merge_up_gate": merged, "merge_qkv": merged, "merge_up_gate_shared": merged}
    found = logits(path, Options(devices=devices, split_mode=mode, **merges))
    assert error(found, logits(path, Options(devices=devices[:1]))) < TIGHT


@pytest.mark.parametrize("mode", ["layer", "graph", "row"])
def test_a_file_that_comes_merged_is_split_like_any_other(made: Any, alone: Any, mode: Any) -> None:
    options = Options(devices=("reference", "reference:1"), split_mode=mode)
    found = logits(made("tiny-gpt-oss-merged"), options)
    assert error(found, alone("tiny-gpt-oss-merged", "reference")) < TIGHT


@pytest.mark.parametrize("devices", [("cpu:0", "cpu:1"), ("cpu:0", "cuda-emulated:0")], ids=",".join)
@pytest.mark.parametrize(
    "options",
    [
        {"split_mode": "graph", "tensor_split": (1, 4)},
        {"split_mode": "row", "tensor_split": (4, 1), "main_gpu": 1},
        {"split_mode": "layer", "tensor_split": (0, 1)},
        {"override_tensor": ((r"blk\.[12]\.ffn_.*_exps", "cpu:1"), (r"blk\.0\.attn", "cpu:1"))},
        {"split_mode": "graph", "override_tensor": ((r"blk\.1\.ffn_.*_exps", "cpu:1"), (r"^output", "cpu:0"))},
        {"split_mode": "layer", "n_cpu_moe": 2, "n_cpu_moe_from": "last", "fused_moe": False},
        {"split_mode": "graph", "layout": "mapped"},
    ],
    ids=str,
)
def test_uneven_splits_and_overrides_change_no_result(
    made: Any, alone: Any, devices: tuple[str, ...], options: dict[str, Any]
) -> None:
    if options.get("layout") == "mapped" and "cuda" in devices[1]:
        devices = (devices[0], "reference-q8")
    merge = options.get("layout") != "mapped"
    found = logits(made("tiny-gpt-oss"), Options(devices=devices, merge_up_gate=merge, **options))
    assert error(found, alone("tiny-gpt-oss", "cpu:0")) < LOOSE


@pytest.mark.parametrize(
    "options",
    [
        {"split_mode": mode, "tensor_split": shares, "main_gpu": main}
        for mode in ("graph", "row")
        for shares in ((0, 1, 1), (1, 0, 0), (0, 0, 1))
        for main in (0, 2)
    ]
    + [
        {"split_mode": "layer", "tensor_split": (0, 1, 0)},
        {"split_mode": "none", "main_gpu": 1},
        {"split_mode": "graph", "moe_path": "per_expert", "fused_moe": False},
        {"split_mode": "row", "override_tensor": (("token_embd", "reference:6"), ("^output", "reference:1"))},
    ],
    ids=str,
)
@pytest.mark.parametrize("model", ["tiny-llama", "tiny-gpt-oss"])
def test_devices_without_a_share_and_parts_on_devices_of_their_own_change_no_result(
    made: Any, alone: Any, model: str, options: dict[str, Any]
) -> None:
    found = logits(made(model), Options(devices=DEVICES[-1], **options))
    assert error(found, alone(model, "reference")) < TIGHT


@pytest.mark.parametrize(("wire", "tolerance"), [("f16", 5e-2), ("bf16", 2e-1)])
def test_a_narrower_wire_changes_logits_a_little_and_not_at_all_between_devices(
    made: Any, alone: Any, wire: Any, tolerance: float
) -> None:
    options = Options(devices=("cpu:0", "cpu:1"), split_mode="graph", reduce_type=wire)
    found = logits(made("tiny-qwen3moe"), options)
    assert 0 < error(found, alone("tiny-qwen3moe", "cpu:0")) < tolerance


def test_the_layer_split_of_a_tied_model_has_its_table_on_both_ends(smollm2: Path) -> None:
    one = Options(devices=("cpu:0",), layers=2, n_ctx=8, ubatch=4)
    with Session.open(smollm2, one) as whole:
        expected = whole.logits(TOKENS[:3])
    for mode in ("layer", "graph"):
        with Session.open(smollm2, replace(one, devices=("cpu:0", "cpu:1"), split_mode=mode)) as split:
            assert error(split.logits(TOKENS[:3]), expected) < LOOSE
