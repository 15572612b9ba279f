"""Whole models: against a naive float64 model, merged against not, one token against many, broken against whole."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from closeness import distance, median_distance
from naive_model import NaiveModel

from harness.core.gguf import open_gguf
from harness.core.session import Session

PRESETS = ["tiny-llama", "tiny-mixtral", "tiny-gpt-oss", "tiny-qwen3moe"]
TOKENS = np.random.default_rng(7).integers(0, 331, 30).tolist()

Open = Callable[..., Session]


@pytest.mark.parametrize("preset", PRESETS)
def test_the_float_reference_is_the_naive_model(made: Any, session: Open, preset: str) -> None:
    """What is left is float32 and the f16 cache."""
    with open_gguf(made(preset)) as file:
        naive = NaiveModel(file).logits(TOKENS)
    assert median_distance(session(made(preset), "reference").logits(TOKENS), naive) < 1e-3


@pytest.mark.parametrize("preset", PRESETS)
def test_quantised_activations_stay_near_the_float_reference(made: Any, session: Open, preset: str) -> None:
    exact = session(made(preset), "reference").logits(TOKENS)
    assert median_distance(session(made(preset)).logits(TOKENS), exact) < 5e-2


@pytest.mark.parametrize("preset", PRESETS)
def test_many_tokens_ubatches_and_single_steps_give_the_same_logits(made: Any, session: Open, preset: str) -> None:
    whole = session(made(preset), ubatch=64).logits(TOKENS)
    np.testing.assert_array_equal(session(made(preset), ubatch=7).logits(TOKENS), whole)
    np.testing.assert_array_equal(session(made(preset)).logits(TOKENS, step=True), whole)


@pytest.mark.parametrize("device", ["reference", "reference-q8"])
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("tiny-llama", {}),
        ("tiny-gpt-oss", {}),
        ("tiny-qwen3moe", {}),
        ("mixtral", {"formats": {"default": "Q4_K"}, "experts": "single", "n_embd": 256, "n_ff": 256, "n_head": 4}),
        ("gpt-oss", {"formats": {"default": "Q8_0", "attn_v": "Q4_0"}, "n_ff": 96, "n_expert": 5, "n_embd": 160}),
    ],
)
def test_merging_changes_no_bit(made: Any, session: Open, device: str, name: str, how: dict[str, Any]) -> None:
    path = made(name, **how)
    everything = {"merge_up_gate": True, "merge_qkv": True, "merge_up_gate_shared": True}
    merged = session(path, device, **everything)
    assert any(merge.done for merge in merged.plan.merges)
    np.testing.assert_array_equal(merged.logits(TOKENS), session(path, device).logits(TOKENS))


@pytest.mark.parametrize("experts", ["merged", "single"])
def test_how_a_file_keeps_its_experts_changes_no_bit(made: Any, session: Open, experts: str) -> None:
    """All three files are given the weights of the stacked one."""
    stacked, other = made("mixtral", {"default": "Q8_0"}), made("mixtral", {"default": "Q8_0"}, experts=experts)
    with open_gguf(stacked) as source, open_gguf(other) as target, other.open("r+b") as out:
        for info in target.tensors.values():
            out.seek(info.offset)
            out.write(_as_stacked(source, info.name).tobytes())
    np.testing.assert_array_equal(session(other).logits(TOKENS), session(stacked).logits(TOKENS))


def _as_stacked(source: Any, name: str) -> Any:
    if name in source.tensors:
        return source.read(name)
    block, role, *expert = name.removesuffix(".weight").rsplit(".", 2) if name.count(".") == 4 else ("", "")
    if expert:
        return np.split(source.read(f"{block}.{role}_exps.weight"), 8)[int(expert[0])]
    halves = (source.read(name.replace("gate_up", role)).reshape(8, 160, -1) for role in ("gate", "up"))
    return np.concatenate(list(halves), axis=1)


def test_a_mapped_model_computes_what_a_copied_one_does(made: Any, session: Open) -> None:
    path = made("tiny-gpt-oss")
    np.testing.assert_array_equal(session(path, layout="mapped").logits(TOKENS), session(path).logits(TOKENS))


def test_expert_counts_are_the_pairs_of_tokens_and_experts(made: Any, session: Open) -> None:
    opened = session(made("tiny-gpt-oss"))
    opened.logits(TOKENS)
    counts = opened.expert_counts()
    assert counts.shape == (3, 8)
    assert (counts.sum(axis=1) == 3 * len(TOKENS)).all()
    assert (counts > 0).sum() > 12


def test_keys_beyond_one_chunk_of_256_are_combined(made: Any, session: Open) -> None:
    """A dense model: one routing decision on the edge would hide what is compared here."""
    tokens = np.random.default_rng(1).integers(0, 256, 300).tolist()
    path = made("tiny-llama")
    with open_gguf(path) as file:
        naive = NaiveModel(file).logits(tokens)
    whole = session(path, "reference", n_ctx=300).logits(tokens)
    assert max(distance(ours, theirs) for ours, theirs in zip(whole, naive, strict=True)) < 2e-3
