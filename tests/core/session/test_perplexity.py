"""Perplexity: by its definition on a tiny model, and as llama.cpp has it on trained weights and real text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax

from harness.core.errors import SessionError
from harness.core.gguf import open_gguf
from harness.core.perplexity import perplexity
from harness.core.session import Session
from harness.core.synth import derive_mixture
from harness.core.tokens import english_text, text_tokens

Open = Callable[..., Session]
WINDOW, N_WINDOWS = 256, 12
AGREED = 5e-3  # two engines' losses differ by 0.13 a token, by 0.3 % in the mean of so many
TOKENS = np.random.default_rng(2).integers(0, 331, 70)


@pytest.fixture(scope="module")
def text(smollm2: Path) -> list[int]:
    with open_gguf(smollm2) as file:
        return text_tokens(file, english_text()[:20000])[: N_WINDOWS * WINDOW]


@pytest.fixture(scope="module")
def mixture(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mixture") / "mixture.gguf"
    derive_mixture(smollm2, path)
    return path


@pytest.mark.parametrize("name", ["smollm2", "mixture"])
def test_the_perplexity_of_a_trained_model_is_llamas(
    request: pytest.FixtureRequest, session: Open, mainline: Any, text: list[int], name: str
) -> None:
    path = request.getfixturevalue(name)
    ours = perplexity(session(path, "cpu:0", n_ctx=WINDOW, ubatch=WINDOW, threads=1), text, WINDOW)
    theirs = mainline("perplexity", path, text, WINDOW)
    assert len(text) == N_WINDOWS * WINDOW
    assert 5 < theirs < 10, "Genesis, half known by heart"
    assert ours == pytest.approx(theirs, rel=AGREED)


def test_it_is_taken_over_the_second_half_of_each_window(made: Any, session: Open) -> None:
    opened = session(made("tiny-llama"), "cpu:0", threads=1)
    losses = []
    for start in (0, 32):
        part = TOKENS[start : start + 32]
        logp = log_softmax(opened.logits(part).astype(np.float64), axis=1)
        losses += [-logp[at - 1, part[at]] for at in range(17, 32)]
    assert perplexity(opened, TOKENS, 32) == pytest.approx(np.exp(np.mean(losses)), rel=1e-12)


def test_a_model_without_knowledge_is_as_puzzled_as_it_has_tokens(made: Any, session: Open) -> None:
    opened = session(made("tiny-llama"))
    opened.logits = lambda tokens: np.zeros((len(tokens), 331), np.float32)  # type: ignore[method-assign]
    assert perplexity(opened, TOKENS, 16) == pytest.approx(331)


@pytest.mark.parametrize("window", [3, 65, 0, -4])
def test_windows_that_cannot_be_scored_are_refused(made: Any, session: Open, window: int) -> None:
    with pytest.raises(SessionError, match=rf"70 tokens in windows of {window} .* a window of 4 to 64 tokens"):
        perplexity(session(made("tiny-llama")), TOKENS, window)


def test_a_text_shorter_than_a_window_is_refused(made: Any, session: Open) -> None:
    with pytest.raises(SessionError, match="5 tokens in windows of 16"):
        perplexity(session(made("tiny-llama")), TOKENS[:5], 16)
