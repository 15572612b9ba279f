"""Whole models on the emulated device: PP and TG, graphs replayed across positions and KV buckets, the 2x2.

Logits are the q8 reference's, bit for bit.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from closeness import median_distance
from numpy.typing import NDArray

from harness.core.cuda.backend import CudaBackend
from harness.core.cuda.context import CudaContext
from harness.core.cuda.emulator.device import EmulatedBuffer, EmulatedDevice
from harness.core.cuda.launches import Extent
from harness.core.cuda.proof import load_model
from harness.core.errors import UnsupportedError
from harness.core.options import Options

Made = Callable[..., Path]
Open = Callable[..., Any]
PRESETS = ("tiny-gpt-oss", "tiny-qwen3moe", "tiny-llama", "tiny-mixtral")
N_CTX, UBATCH = 600, 128
SPANS = ((0, 252), (252, 258), (258, 509), (509, 515))
"""Prefill and decoding in turns; the decoding crosses from one chunk of keys to two, and from two to four."""


def prompt(n: int) -> NDArray[np.int64]:
    return np.random.default_rng(7).integers(0, 331, n)


def in_turns(session: Any, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
    """Logits after every second span's tokens, decoded one by one."""
    found = []
    for number, (start, end) in enumerate(SPANS):
        if number % 2 == 0:
            session.prefill(tokens[start:end], "none")
        else:
            found += [session.decode(int(token)) for token in tokens[start:end]]
    return np.stack(found)


@pytest.mark.parametrize("preset", PRESETS)
def test_prefill_and_decoding_across_buckets_have_the_bits_of_the_reference(
    preset: str, session: Open, made: Made
) -> None:
    tokens = prompt(SPANS[-1][1])
    found, expected = (
        in_turns(session(made(preset), device, n_ctx=N_CTX, ubatch=UBATCH), tokens)
        for device in ("cuda-emulated:0", "reference-q8")
    )
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("preset", ["tiny-gpt-oss", "tiny-qwen3moe"])
def test_a_quantised_cache_gives_the_bits_of_the_reference_in_prefill_and_decoding(
    preset: str, session: Open, made: Made
) -> None:
    tokens, types = prompt(266), {"type_k": "q8_0", "type_v": "q8_0"}
    found, expected = (
        np.concatenate([opened.logits(tokens[:260]), np.stack([opened.decode(int(token)) for token in tokens[260:]])])
        for opened in (
            session(made(preset), device, n_ctx=N_CTX, ubatch=UBATCH, **types)
            for device in ("cuda-emulated:0", "reference-q8")
        )
    )
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("preset", ["tiny-gpt-oss", "tiny-qwen3moe"])
def test_decoding_by_graphs_gives_the_bits_that_prefill_gives(preset: str, session: Open, made: Made) -> None:
    opened = session(made(preset), "cuda-emulated:0", n_ctx=N_CTX, ubatch=UBATCH)
    tokens = prompt(262)
    at_once = opened.logits(tokens)
    opened.reset()
    opened.prefill(tokens[:250], "none")
    replayed = np.stack([opened.decode(int(token)) for token in tokens[250:]])
    assert np.array_equal(replayed, at_once[250:])


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_the_two_by_two_has_the_bits_of_the_reference_in_prefill_and_decoding(
    merged: bool, fused: bool, session: Open, made: Made
) -> None:
    tokens, options = prompt(40), {"merge_up_gate": merged, "fused_moe": fused, "ubatch": 32}
    found, expected = (
        np.concatenate([opened.logits(tokens[:36]), np.stack([opened.decode(int(token)) for token in tokens[36:]])])
        for opened in (
            session(made("tiny-qwen3moe"), device, **options) for device in ("cuda-emulated:0", "reference-q8")
        )
    )
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("preset", ["tiny-gpt-oss", "tiny-qwen3moe"])
def test_f16_attention_gives_the_same_bits_however_a_prompt_is_cut_and_weights_are_merged(
    preset: str, session: Open, made: Made
) -> None:
    tokens = prompt(150)
    exact, at_once, cut = (
        session(made(preset), "cuda-emulated:0", n_ctx=160, ubatch=ubatch, flash_attn=flash, merge_up_gate=merged)
        for ubatch, flash, merged in ((150, False, False), (150, True, False), (37, True, True))
    )
    expected = at_once.logits(tokens)
    assert np.array_equal(cut.logits(tokens), expected)
    assert 0 < median_distance(expected, exact.logits(tokens)) <= 3e-2


def test_experts_are_counted_as_the_reference_counts_them(session: Open, made: Made) -> None:
    tokens = prompt(30)
    opened = [session(made("tiny-mixtral"), device) for device in ("cuda-emulated:0", "reference-q8")]
    for each in opened:
        each.prefill(tokens)
    counts, expected = (each.expert_counts() for each in opened)
    assert counts.sum() == expected.sum() == 2 * 2 * 30
    assert np.array_equal(counts, expected)


def context_of(path: Path, device: EmulatedDevice, options: Options) -> CudaContext:
    backend = CudaBackend(device)
    return backend.context(load_model(path, options, backend), options)


@pytest.mark.parametrize(
    ("n_tokens", "choices", "launches"),
    [
        (1, {"merge_up_gate": True}, 12),
        (1, {"merge_up_gate": True, "fused_moe": False}, 14),
        (1, {"fused_moe": False}, 15),
        (8, {"merge_up_gate": True}, 14),
        (8, {"merge_up_gate": True, "flash_attn": True}, 13),
    ],
)
def test_a_layer_of_a_mixture_takes_as_many_launches_as_documented(
    n_tokens: int, choices: dict[str, Any], launches: int, made: Made
) -> None:
    options = Options(devices=("cuda:0",), n_ctx=64, ubatch=8, **choices)
    contexts = (
        context_of(made("tiny-gpt-oss"), EmulatedDevice(), replace(options, layers=layers)) for layers in (2, 1)
    )
    whole, less = (len(context._launches(Extent(n_tokens, 1, 1))) for context in contexts)
    assert whole - less == launches


def test_a_ubatch_whose_grids_no_card_takes_is_refused_while_the_context_is_made(made: Made) -> None:
    options = Options(devices=("cuda:0",), n_ctx=64, ubatch=30_000)
    with pytest.raises(UnsupportedError, match=r"90,000 blocks, more than CUDA's 65,535; use a smaller ubatch"):
        context_of(made("tiny-gpt-oss"), EmulatedDevice(), replace(options, fused_moe=False))


class Counting(EmulatedDevice):
    """Notes every allocation."""

    n_allocations = 0

    def allocate(self, n_bytes: int, what: str) -> EmulatedBuffer:
        self.n_allocations += 1
        return super().allocate(n_bytes, what)


def test_nothing_is_allocated_once_a_context_is_made(made: Made) -> None:
    device, options = Counting(), Options(devices=("cuda-emulated:0",), n_ctx=N_CTX, ubatch=40)
    context = context_of(made("tiny-gpt-oss"), device, options)
    before, position = device.n_allocations, 0
    for n_tokens in (1, 40, 7, 1, 40, 39):
        for logits_of in ("none", "last"):
            context.run(np.zeros(n_tokens, np.int32), position, logits_of)  # type: ignore[arg-type]
            position += n_tokens
    context.run(np.zeros(1, np.int32), N_CTX - 1, "last")
    assert device.n_allocations == before
