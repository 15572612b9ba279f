"""Whole models on the CPU against the engines people use: distributions, greedy tokens and full logits.

Both sides quantise activations, each in blocks of its own, so correct ones are 2 to 7 % apart on random weights.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from closeness import distance, divergence, median_distance
from numpy.typing import NDArray

from harness.core.formats.table import FORMATS
from harness.core.gguf import open_gguf
from harness.core.session import Session
from harness.core.synth import derive_mixture
from harness.core.tokens import english_text, text_tokens

Open = Callable[..., Session]
Logits = NDArray[np.float32]

NEAR = 0.1
MAX_KL = 6e-3
TIE = {"random": 0.1, "trained": 3e-2}  # two best tokens nearer than this share of the logits' rms
LEAST_SAME = {"random": 0.75, "trained": 0.9}  # share of greedy tokens, ties among them
FLIPPED = 0.15  # a position so far off was sent to another expert: the router's logits tie, not the vocabulary's
MAX_FLIPS = 2
N_GREEDY = 32

LOW_BIT = {
    "IQ1": {"default": "IQ1_M", "token_embd": "Q2_K", "attn_v": "Q4_K", "output": "Q5_K", "ffn_gate": "IQ1_S",
            "ffn_up": "IQ1_S", "ffn_down": "IQ2_XXS"},
    "IQ2_XXS": {"default": "IQ2_XXS", "token_embd": "Q2_K", "attn_v": "Q4_K", "output": "Q5_K", "ffn_down": "Q2_K"},
    "IQ2_S": {"default": "IQ2_S", "token_embd": "IQ3_S", "attn_v": "Q4_K", "attn_output": "IQ3_S", "output": "Q5_K",
              "ffn_gate": "IQ2_XS", "ffn_up": "IQ2_XS"},
    "IQ3_XXS": {"default": "IQ3_XXS", "token_embd": "IQ3_S", "attn_k": "IQ2_S", "attn_v": "Q4_K", "output": "Q5_K",
                "ffn_down": "IQ3_S"},
    "IQ4_XS": {"default": "IQ4_XS", "attn_v": "Q5_K", "output": "Q6_K", "ffn_down": "IQ4_NL"},
    "Q3_K": {"default": "Q3_K", "attn_v": "Q5_K", "output": "Q6_K", "ffn_down": "Q4_K"},
    "Q5": {"default": "Q5_0", "attn_v": "Q8_0", "output": "Q6_K", "ffn_down": "Q5_1"},
}  # fmt: skip
"""What llama-quantize makes of a mixture, by and large: every format of mainline's is in one of them or in a preset."""
OF_IK = {
    "IQ2_K": {"default": "IQ2_K", "token_embd": "Q2_K", "attn_v": "IQ4_K", "output": "IQ5_K", "ffn_down": "IQ3_K"},
    "IQ4_KS": {"default": "IQ4_KS", "attn_v": "IQ5_K", "output": "Q6_K", "ffn_gate": "IQ2_KS", "ffn_up": "IQ2_KS"},
    "IQ4_KSS": {"default": "IQ4_KSS", "attn_v": "IQ4_K", "output": "Q6_K", "ffn_down": "IQ4_KS"},
}
WIDE = {"n_embd": 256, "n_head": 8, "n_ff": 256}  # whole blocks of 256 everywhere
TOKENS: list[int] = np.random.default_rng(3).integers(0, 328, 32).tolist()


@pytest.fixture(scope="module")
def words(smollm2: Path) -> list[int]:
    with open_gguf(smollm2) as file:
        return text_tokens(file, english_text()[:300])[:48]


@pytest.fixture(scope="module")
def mixture(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mixture") / "mixture.gguf"
    derive_mixture(smollm2, path)
    return path


def on_cpu(session: Open, path: Path, tokens: list[int], **options: Any) -> Logits:
    return session(path, "cpu:0", n_ctx=128, threads=1, **options).logits(tokens)


def check_close(ours: Logits, theirs: Logits) -> None:
    assert median_distance(ours, theirs) < NEAR
    assert np.median(divergence(theirs, ours)) < MAX_KL


def test_every_quantised_format_is_in_a_whole_model() -> None:
    made = {fmt for mix in (LOW_BIT | OF_IK).values() for fmt in mix.values()}
    presets = {"Q4_0", "Q4_1", "Q8_0", "MXFP4"}  # tiny-llama, tiny-mixtral, tiny-gpt-oss
    assert made | presets == {fmt.name for fmt in FORMATS if fmt.group}


@pytest.mark.parametrize("mix", LOW_BIT)
def test_low_bit_mixtures_have_the_distribution_of_llama(
    made: Any, session: Open, mainline_logits: Any, mix: str
) -> None:
    path = made("qwen3moe", LOW_BIT[mix], **WIDE)
    check_close(on_cpu(session, path, TOKENS), mainline_logits(path, TOKENS))


@pytest.mark.parametrize("mix", [*LOW_BIT, *OF_IK])
def test_low_bit_mixtures_have_the_logits_of_ik_llama(made: Any, session: Open, ik_logits: Any, mix: str) -> None:
    path = made("qwen3moe", (LOW_BIT | OF_IK)[mix], **WIDE)
    check_close(on_cpu(session, path, TOKENS), ik_logits(path, TOKENS, len(TOKENS)))


@pytest.mark.parametrize("mix", ["IQ2_XXS", "IQ4_KS"])
def test_merged_they_have_the_logits_of_a_merged_ik_llama(made: Any, session: Open, ik_logits: Any, mix: str) -> None:
    """In a row's header IQ4_KS and IQ2_KS keep what a merge must not tear off."""
    path = made("qwen3moe", (LOW_BIT | OF_IK)[mix], **WIDE)
    theirs = ik_logits(path, TOKENS, len(TOKENS), "muge")
    check_close(on_cpu(session, path, TOKENS, merge_up_gate=True), theirs)


@pytest.mark.parametrize("mix", ["IQ3_XXS", "IQ4_XS", "IQ2_K"])
def test_gpt_oss_in_low_bits_has_the_logits_of_ik_llama(made: Any, session: Open, ik_logits: Any, mix: str) -> None:
    path = made("gpt-oss", (LOW_BIT | OF_IK)[mix], **WIDE)
    check_close(on_cpu(session, path, TOKENS), ik_logits(path, TOKENS, len(TOKENS)))


@pytest.mark.parametrize(("preset", "layers"), [("gpt-oss-20b", 2), ("qwen3-30b-a3b-iq2_xxs", 1)])
def test_a_stand_in_has_the_logits_of_ik_llama(
    made: Any, session: Open, ik_logits: Any, preset: str, layers: int
) -> None:
    """With one layer of gpt-oss, ik_llama.cpp crashes."""
    path = made(preset, layers=layers, vocab=2000)
    check_close(on_cpu(session, path, TOKENS), ik_logits(path, TOKENS, len(TOKENS)))


def test_smollm2_has_the_logits_of_ik_llama(session: Open, ik_logits: Any, smollm2: Path, words: list[int]) -> None:
    check_close(on_cpu(session, smollm2, words), ik_logits(smollm2, words))


@pytest.mark.parametrize("preset", ["tiny-mixtral", "tiny-gpt-oss", "tiny-qwen3moe", "tiny-llama"])
def test_tiny_models_have_llamas_distribution_and_greedy_tokens(
    made: Any, session: Open, mainline_logits: Any, preset: str
) -> None:
    path = made(preset)
    check_greedy(session, path, TOKENS, mainline_logits(path, TOKENS, N_GREEDY), "random")


@pytest.mark.parametrize("name", ["smollm2", "mixture"])
def test_trained_models_have_llamas_distribution_and_greedy_tokens(
    request: pytest.FixtureRequest, session: Open, mainline_logits: Any, words: list[int], name: str
) -> None:
    path = request.getfixturevalue(name)
    check_greedy(session, path, words, mainline_logits(path, words, N_GREEDY), "trained")


def check_greedy(session: Open, path: Path, tokens: list[int], theirs: Logits, weights: str) -> None:
    """Every step is given llama.cpp's tokens so far, so that all are compared even after a tie."""
    n = len(tokens)
    chosen = theirs[n - 1 :].argmax(axis=1)
    ours = on_cpu(session, path, [*tokens, *chosen[:-1].tolist()])
    check_close(ours, theirs)
    same = same_but_for_ties(ours[n - 1 :], theirs[n - 1 :], TIE[weights])
    assert len(same) == N_GREEDY + 1
    assert same.mean() >= LEAST_SAME[weights]


def same_but_for_ties(ours: Logits, theirs: Logits, tie: float) -> NDArray[np.bool_]:
    """Where the likeliest tokens are the same; elsewhere theirs, or those of the router, must be a tie."""
    second, best = np.sort(theirs, axis=1)[:, -2:].T
    tied = best - second < tie * np.sqrt((theirs**2).mean(axis=1))
    same: NDArray[np.bool_] = ours.argmax(axis=1) == theirs.argmax(axis=1)
    unexplained = np.flatnonzero(~same & ~tied)
    assert all(distance(ours[at], theirs[at]) > FLIPPED for at in unexplained)
    assert len(unexplained) <= MAX_FLIPS
    return same


def test_greedy_tokens_that_differ_without_a_tie_are_not_explained_away() -> None:
    theirs = np.random.default_rng(0).standard_normal((33, 300)).astype(np.float32)
    theirs[:, 7], theirs[:, 8] = 9, 7
    assert same_but_for_ties(theirs, theirs, 0.1).all()
    for rows, best in ((slice(4, 5), 9.5), (slice(4, 8), 99)):  # another token of near logits; too many far off
        ours = theirs.copy()
        ours[rows, 8] = best
        with pytest.raises(AssertionError):
            same_but_for_ties(ours, theirs, 0.1)
