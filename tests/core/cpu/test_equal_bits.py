"""The same logits to the bit, however rows, tokens, experts and threads are shared out (docs/numerics.md)."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cpu_lab import Floats, loaded
from numpy.typing import NDArray

Made = Callable[..., Path]
N_TOKENS = 41


def tokens() -> NDArray[np.int32]:
    return (np.arange(N_TOKENS, dtype=np.int32) * 29 + 3) % 300


def logits(path: Path, kernels: str = "", spans: tuple[int, ...] = (N_TOKENS,), **options: Any) -> Floats:
    """Logits of all tokens, entered in ubatches of the sizes given."""
    with loaded(path, "cpu:0", kernels, **options) as on_cpu:
        context = on_cpu.context()
        parts, position = [], 0
        for n in spans:
            parts.append(context.run(tokens()[position : position + n], position, "all"))
            position += n
        return np.concatenate(parts)


@pytest.fixture(scope="module", params=["tiny-llama", "tiny-mixtral", "tiny-gpt-oss", "tiny-qwen3moe"])
def model(request: pytest.FixtureRequest, made: Made) -> tuple[Path, Floats]:
    path = made(request.param)
    return path, logits(path, "scalar", threads=1)


def test_every_instruction_set_computes_the_bits_of_scalar_code(model: tuple[Path, Floats], kernels: str) -> None:
    path, scalar = model
    np.testing.assert_array_equal(logits(path, kernels, threads=1), scalar)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit(model: tuple[Path, Floats], kernels: str, threads: int) -> None:
    path, scalar = model
    np.testing.assert_array_equal(logits(path, kernels, threads=threads), scalar)


def test_strangers_on_every_core_change_no_bit_nor_where_the_caller_may_run(model: tuple[Path, Floats]) -> None:
    """What a thread that lost its core holds is made again by another (base/team.h)."""
    path, scalar = model
    allowed = os.sched_getaffinity(0)
    strangers = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * len(allowed))]
    try:
        for _ in range(5):
            np.testing.assert_array_equal(logits(path, threads=2, spans=(1,) * N_TOKENS), scalar)
    finally:
        for stranger in strangers:
            stranger.kill()
            stranger.wait()
    assert os.sched_getaffinity(0) == allowed


@pytest.mark.parametrize("fused_moe", [True, False])
@pytest.mark.parametrize("moe_path", ["grouped", "per_expert"])
@pytest.mark.parametrize("merge", [True, False])
def test_merging_fusing_and_grouping_change_no_bit(
    model: tuple[Path, Floats], kernels: str, merge: bool, moe_path: str, fused_moe: bool
) -> None:
    path, scalar = model
    how = {"merge_up_gate": merge, "merge_up_gate_shared": merge, "merge_qkv": merge, "fused_moe": fused_moe}
    np.testing.assert_array_equal(logits(path, kernels, moe_path=moe_path, threads=2, **how), scalar)


@pytest.mark.parametrize("spans", [(1,) * N_TOKENS, (7, 33, 1), (2, 3, 4, 5, 6, 21)])
def test_how_tokens_are_cut_into_ubatches_changes_no_bit(
    model: tuple[Path, Floats], kernels: str, spans: tuple[int, ...]
) -> None:
    path, scalar = model
    np.testing.assert_array_equal(logits(path, kernels, spans, threads=2), scalar)


@pytest.mark.parametrize("layout", ["mapped", "packed_small"])
def test_layouts_change_no_bit(model: tuple[Path, Floats], kernels: str, layout: str) -> None:
    path, scalar = model
    np.testing.assert_array_equal(logits(path, kernels, layout=layout, threads=2), scalar)


def test_the_last_tokens_logits_do_not_depend_on_whose_others_are_wanted(model: tuple[Path, Floats]) -> None:
    path, scalar = model
    with loaded(path, "cpu:0", threads=2) as on_cpu:
        context = on_cpu.context()
        assert context.run(tokens()[:20], 0, "none") is None
        np.testing.assert_array_equal(context.run(tokens()[20:], 20, "last"), scalar[-1:])


@pytest.mark.parametrize("preset", ["tiny-gpt-oss", "tiny-qwen3moe"])
def test_attention_past_one_chunk_of_keys_does_not_depend_on_the_cut(made: Made, kernels: str, preset: str) -> None:
    """300 tokens cross the border between chunks at 256; the window of tiny-gpt-oss hides the first chunk from some."""
    ids = (np.arange(300, dtype=np.int32) * 31 + 5) % 300
    with loaded(made(preset), "cpu:0", kernels, n_ctx=320, ubatch=300, threads=2) as on_cpu:
        whole = on_cpu.context().run(ids, 0, "all")
        context, parts, position = on_cpu.context(), [], 0
        for n in (3, 130, 120, 1, 1, 1, 1, 1, 20, 22):
            parts.append(context.run(ids[position : position + n], position, "all"))
            position += n
        np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("preset", ["gpt-oss-20b", "qwen3-30b-a3b-iq2_xxs-mainline"], ids=["gpt-oss", "qwen3"])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_single_token_of_a_wide_model_has_the_bits_of_several(made: Made, preset: str, threads: int) -> None:
    """Wide enough that one worker multiplies more than two groups of an expert's rows in a run, the last run fewer."""
    path = made(preset, layers=1, vocab=320, n_expert=9)
    together = logits(path, threads=1)
    for merge in (False, True):
        alone = logits(path, spans=(1,) * N_TOKENS, threads=threads, merge_up_gate=merge)
        np.testing.assert_array_equal(alone, together)
