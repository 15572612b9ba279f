"""The same logits as the engines people use: ik_llama.cpp, llama.cpp, and a dense model for its mixture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from closeness import median_distance

from harness.core.gguf import open_gguf
from harness.core.session import Session
from harness.core.synth.mixture import derive_mixture
from harness.core.tokens import english_text, text_tokens

Open = Callable[..., Session]
NEAR = 5e-2  # both engines quantise activations, each its own way: 3e-2 from the float model each
TIE = 3e-2  # two best tokens nearer than the error of quantised activations, as a share of the logits' rms


@pytest.fixture(scope="module")
def words(smollm2: Path) -> list[int]:
    with open_gguf(smollm2) as file:
        return text_tokens(file, english_text()[:400])[:48]


def test_smollm2_has_the_logits_of_ik_llama(session: Open, ik_logits: Any, smollm2: Path, words: list[int]) -> None:
    assert median_distance(session(smollm2, "reference").logits(words), ik_logits(smollm2, words)) < NEAR


@pytest.mark.parametrize("preset", ["tiny-gpt-oss", "tiny-qwen3moe"])
def test_tiny_models_have_the_logits_of_ik_llama(made: Any, session: Open, ik_logits: Any, preset: str) -> None:
    tokens = np.random.default_rng(3).integers(0, 328, 40).tolist()
    path = made(preset)
    assert median_distance(session(path, "reference").logits(tokens), ik_logits(path, tokens)) < NEAR


@pytest.mark.parametrize("preset", ["tiny-mixtral", "tiny-gpt-oss", "tiny-qwen3moe"])
def test_tiny_models_have_the_probabilities_of_llama(made: Any, session: Open, mainline: Any, preset: str) -> None:
    """ik_llama.cpp computes Mixtral's experts otherwise; the last position is compared wherever llama.cpp tells it."""
    path, tokens = made(preset), np.random.default_rng(0).integers(0, 328, 40).tolist()
    logits = session(path, "reference").logits(tokens)
    distances = []
    for length, told in mainline("next", path, tokens, 331):
        ids, logprobs = (np.array(column) for column in zip(*((t, p) for t, p in told if p > -50), strict=True))
        distances.append(_shape_distance(logits[length - 1, ids.astype(int)], logprobs))
    assert len(distances) >= 2
    assert np.median(distances) < NEAR


def _shape_distance(left: Any, right: Any) -> float:
    """Relative L2 after taking out the mean, which a softmax does not see."""
    left, right = left - left.mean(), right - right.mean()
    return float(np.linalg.norm(left - right) / np.linalg.norm(right))


def test_greedy_tokens_of_smollm2_are_those_of_llama_but_for_ties(
    session: Open, mainline: Any, smollm2: Path, words: list[int]
) -> None:
    """Every step is given llama.cpp's tokens so far, so that all 32 are compared even after a tie."""
    steps = mainline("greedy", smollm2, words, 32)
    assert len(steps) == 32
    theirs = [int(token) for token, *_ in steps]
    logits = session(smollm2, "reference", n_ctx=128).logits([*words, *theirs[:-1]])[len(words) - 1 :]
    ours = logits.argmax(axis=1).tolist()
    differing = [i for i in range(32) if ours[i] != theirs[i]]
    ties = [i for i, (_, best, second) in enumerate(steps) if best - second < TIE * np.sqrt((logits[i] ** 2).mean())]
    assert set(differing) <= set(ties)
    assert len(differing) <= 3


def test_the_derived_mixture_computes_what_its_dense_model_does(
    session: Open, smollm2: Path, words: list[int], tmp_path: Path
) -> None:
    mixture = tmp_path / "mixture.gguf"
    derive_mixture(smollm2, mixture)
    some = words[:24]
    opened = session(mixture, "reference")
    assert median_distance(opened.logits(some), session(smollm2, "reference").logits(some)) < 1e-3
    counts = opened.expert_counts()
    assert (counts[:, :8] + counts[:, 8:] == len(some)).all()
    assert ((counts > 0).sum(axis=1) > 8).any()
