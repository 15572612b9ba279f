"""Logits that are the same, close, or wrong."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as oracle
from scipy.special import softmax

from harness.stats.equivalence import CLOSE_ACROSS_ENGINES, compare_logits, perplexity, with_perplexity


@pytest.fixture
def logits() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(0, 2, (32, 100)).astype(np.float32)


def test_the_same_bits_are_identical(logits: NDArray[np.float32]) -> None:
    result = compare_logits(logits, logits.copy(), against="off")
    assert (result.verdict, result.max_abs, result.kl, result.top1, result.against) == (
        "identical",
        0.0,
        0.0,
        1.0,
        "off",
    )


def test_minus_zero_is_not_zero(logits: NDArray[np.float32]) -> None:
    logits[0, 0] = 0.0
    other = logits.copy()
    other[0, 0] = -0.0
    assert compare_logits(logits, other).verdict == "close"
    assert compare_logits(logits, other, tolerance=0).verdict == "close"


def test_rounding_is_close_and_measured(logits: NDArray[np.float32]) -> None:
    other = logits * np.float32(1 + 1e-3)
    result = compare_logits(logits, other)
    assert result.verdict == "close"
    assert result.max_abs == pytest.approx(float(np.abs(other - logits).max()))
    assert result.top1 == 1.0


def test_with_tolerance_zero_one_changed_bit_is_invalid(logits: NDArray[np.float32]) -> None:
    other = np.nextafter(logits, np.float32(np.inf))
    assert compare_logits(logits, other, tolerance=0).verdict == "INVALID"


def test_a_single_position_off_does_not_condemn_but_permuted_outputs_do(logits: NDArray[np.float32]) -> None:
    flipped = logits.copy()
    flipped[3] = -flipped[3]
    assert compare_logits(logits, flipped).verdict == "close"
    assert compare_logits(logits, logits[:, ::-1].copy()).verdict == "INVALID"


def test_half_a_percent_of_noise_in_gate_and_up_swapped_logits_is_invalid(logits: NDArray[np.float32]) -> None:
    rng = np.random.default_rng(1)
    assert compare_logits(logits, logits + rng.normal(0, 1, logits.shape).astype(np.float32)).verdict == "INVALID"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_invalid(logits: NDArray[np.float32], bad: float) -> None:
    other = logits.copy()
    other[1, 1] = bad
    result = compare_logits(logits, other)
    assert result.verdict == "INVALID"
    assert "not finite" in result.note


def test_another_vocabulary_is_invalid_not_an_exception(logits: NDArray[np.float32]) -> None:
    assert compare_logits(logits, logits[:, :50]).verdict == "INVALID"


def test_kl_is_scipys_median_entropy(logits: NDArray[np.float32]) -> None:
    other = logits + np.random.default_rng(2).normal(0, 0.05, logits.shape).astype(np.float32)
    expected = np.median(oracle.entropy(softmax(logits.astype(float), -1), softmax(other.astype(float), -1), axis=-1))
    assert compare_logits(logits, other).kl == pytest.approx(float(expected), rel=1e-6)


def test_perplexity_of_uniform_logits_is_the_vocabulary() -> None:
    tokens = np.arange(8, dtype=np.int32)
    assert perplexity(np.zeros((8, 50), np.float32), tokens) == pytest.approx(50)


def test_perplexity_of_certainty_is_one() -> None:
    tokens = np.arange(8, dtype=np.int32)
    certain = np.full((8, 50), -1e4, np.float32)
    certain[np.arange(7), tokens[1:]] = 0
    assert perplexity(certain, tokens) == pytest.approx(1)


def test_perplexity_needs_two_tokens() -> None:
    with pytest.raises(ValueError, match="two tokens"):
        perplexity(np.zeros((1, 5), np.float32), np.zeros(1, np.int32))


def test_other_engines_may_be_further_apart_but_not_permuted(logits: NDArray[np.float32]) -> None:
    other = logits + np.random.default_rng(3).normal(0, 0.1, logits.shape).astype(np.float32)
    assert compare_logits(logits, other).verdict == "INVALID"
    assert compare_logits(logits, other, tolerance=CLOSE_ACROSS_ENGINES).verdict == "close"
    assert compare_logits(logits, logits[:, ::-1].copy(), tolerance=CLOSE_ACROSS_ENGINES).verdict == "INVALID"


def test_perplexity_catches_the_few_positions_that_medians_forgive() -> None:
    drawn = np.random.default_rng(5)
    reference = drawn.normal(size=(40, 32)).astype(np.float32)
    tokens = reference.argmax(axis=-1).astype(np.int32)
    tokens = np.concatenate([[0], tokens[:-1]]).astype(np.int32)  # the model's own greedy text
    broken = reference.copy()
    broken[7] = broken[7][::-1] * 40
    found = compare_logits(reference, broken, "a")
    assert found.verdict == "close", "one position in forty moves no median"
    judged = with_perplexity(found, reference, broken, tokens)
    assert judged.verdict == "INVALID"
    assert "perplexity" in judged.note
    near = reference + np.float32(1e-3) * drawn.normal(size=reference.shape).astype(np.float32)
    assert with_perplexity(compare_logits(reference, near, "a"), reference, near, tokens).verdict == "close"


def test_perplexity_of_what_cannot_be_compared_changes_nothing() -> None:
    reference = np.ones((4, 8), np.float32)
    found = compare_logits(reference, np.full((4, 8), np.nan, np.float32), "a")
    assert with_perplexity(found, reference, np.full((4, 8), np.nan, np.float32), np.zeros(4, np.int32)) == found
