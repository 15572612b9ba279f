"""A KV cache of type q8_0 on the CPU: what the reference keeps, the same bits however the work is shared out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from closeness import distance, divergence, median_distance
from cpu_lab import Floats, Slice, external_inputs, loaded, parts_of
from numpy.typing import NDArray

from harness.core.cpu.native_module import native
from harness.core.errors import PlanError
from harness.core.options import Options
from harness.core.session import Session

Made = Callable[..., Path]
N_TOKENS = 300  # past a chunk of 256 keys

KEYS, VALUES = {"type_k": "q8_0"}, {"type_v": "q8_0"}
BOTH = KEYS | VALUES
caches = pytest.mark.parametrize(
    ("name", "types"),
    [("tiny-gpt-oss", KEYS), ("tiny-gpt-oss", VALUES), ("tiny-qwen3moe", BOTH)],
    ids=["keys", "values", "both"],
)
"""On a window and sinks, and on norms of heads."""


def prompt(n: int = N_TOKENS) -> NDArray[np.int32]:
    return (np.arange(n, dtype=np.int32) * 37 + 11) % 300


@caches
def test_attention_over_it_computes_what_the_reference_computes(
    made: Made, kernels: str, name: str, types: dict[str, str]
) -> None:
    how: dict[str, Any] = {"n_ctx": 320, "ubatch": N_TOKENS, **types}
    tokens, at = prompt(), 280
    with (
        loaded(made(name), "cpu:0", kernels, threads=2, **how) as on_cpu,
        loaded(made(name), "reference-q8", **how) as reference,
    ):
        truth = reference.context().trace(tokens, 0)
        for ops in parts_of(on_cpu.program):
            if ops[0].name != "qkv":
                continue
            given = {name: truth[name] for name in external_inputs(ops[:2])}
            part, a = Slice(on_cpu, ops[:2]), ops[1].outputs[0]
            part.run(given, tokens)
            assert distance(part.value(a, N_TOKENS), truth[a]) <= 1e-5
            part.run({name: value[at:] for name, value in given.items()}, tokens[at:], at)
            assert distance(part.value(a, N_TOKENS - at), truth[a][at:]) <= 1e-5


def test_a_cache_of_the_other_type_is_told_apart(made: Made) -> None:
    """What the comparison above would say if types were ignored."""
    with (
        loaded(made("tiny-qwen3moe"), "cpu:0") as on_cpu,
        loaded(made("tiny-qwen3moe"), "reference-q8", **BOTH) as reference,
    ):
        truth = reference.context().trace(prompt(40), 0)
        ops = next(ops for ops in parts_of(on_cpu.program) if ops[0].name == "qkv")[:2]
        part, a = Slice(on_cpu, ops), ops[1].outputs[0]
        part.run({name: truth[name] for name in external_inputs(ops)}, prompt(40))
        assert distance(part.value(a, 40), truth[a]) > 1e-3


def logits(path: Path, kernels: str = "", spans: tuple[int, ...] = (N_TOKENS,), **options: Any) -> Floats:
    with loaded(path, "cpu:0", kernels, **({"n_ctx": 320, "ubatch": N_TOKENS} | options)) as on_cpu:
        context, parts, position = on_cpu.context(), [], 0
        for n in spans:
            parts.append(context.run(prompt()[position : position + n], position, "all"))
            position += n
        return np.concatenate(parts)


@caches
def test_instruction_sets_threads_and_ubatches_change_no_bit(
    made: Made, kernels: str, name: str, types: dict[str, str]
) -> None:
    path = made(name)
    scalar = logits(path, "scalar", threads=1, **types)
    np.testing.assert_array_equal(logits(path, kernels, threads=1, **types), scalar)
    cut = (3, 130, 120, 1, 1, 1, 1, 1, 20, 22)
    np.testing.assert_array_equal(logits(path, kernels, cut, threads=2, **types), scalar)


@pytest.mark.parametrize("name", ["tiny-gpt-oss", "tiny-qwen3moe"])
def test_merges_and_a_layer_split_change_no_bit(made: Made, name: str) -> None:
    path, tokens = made(name), prompt(40)

    def found(**options: Any) -> Floats:
        with Session.open(path, Options(**{"devices": ("cpu:0",), "n_ctx": 64, "threads": 2, **BOTH, **options})) as s:
            return s.logits(tokens)

    plain = found()
    np.testing.assert_array_equal(found(merge_qkv=True, merge_up_gate=True), plain)
    np.testing.assert_array_equal(found(devices=("cpu:0", "cpu:1"), split_mode="layer"), plain)


@pytest.mark.parametrize("name", ["tiny-qwen3moe", "tiny-llama"])
def test_whole_models_have_the_logits_of_llama_with_such_a_cache(made: Made, mainline_logits: Any, name: str) -> None:
    path, tokens = made(name), prompt(40).tolist()
    with Session.open(path, Options(n_ctx=64, threads=1, **BOTH)) as session:
        ours = session.logits(tokens)
    theirs = mainline_logits(path, tokens, 0, "q8_0")
    assert median_distance(ours, theirs) < 0.1
    assert np.median(divergence(theirs, ours)) < 6e-3


def test_heads_that_are_no_whole_blocks_are_refused(made: Made) -> None:
    path = made("llama", {"default": "F32"}, head_dim=16, n_head=6)
    with pytest.raises(PlanError, match="type_k q8_0 needs heads of a multiple of 32 numbers, not 16; use f16"):
        Session.open(path, Options(n_ctx=64, type_k="q8_0"))
    context = native().Context(kernels="scalar", ubatch=4, n_ctx=8, n_vocab=8, n_threads=1, buffers=[64])
    with pytest.raises(ValueError, match="q8_0 needs heads of whole blocks"):
        context.add_cache(1, 32, 48, 0, "f16", "q8_0")
    with pytest.raises(ValueError, match="unknown choice q4_0"):
        context.add_cache(1, 32, 32, 0, "q4_0", "f16")
