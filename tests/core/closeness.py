"""How far apart logits are, as the tolerances of the design measure it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def distance(left: NDArray[Any], right: NDArray[Any]) -> float:
    """Relative L2 of left to right."""
    wide = right.astype(np.float64)
    return float(np.linalg.norm(left - wide) / np.linalg.norm(wide))


def median_distance(left: NDArray[Any], right: NDArray[Any]) -> float:
    """Median over positions of the relative L2 of [T, n_vocab] logits."""
    return float(np.median([distance(a, b) for a, b in zip(left, right, strict=True)]))


def divergence(reference: NDArray[Any], candidate: NDArray[Any], n_best: int = 64) -> NDArray[np.float64]:
    """Kullback-Leibler divergence in nats at each position of [T, n_vocab] logits.

    Over the reference's `n_best` likeliest tokens, all others counting as one more outcome.
    """
    best = np.argsort(-reference, axis=1, kind="stable")[:, :n_best]
    p, q = (_with_the_rest(logits, best) for logits in (reference, candidate))
    divergences: NDArray[np.float64] = (np.exp(p) * (p - q)).sum(axis=1)
    return divergences


def _with_the_rest(logits: NDArray[Any], tokens: NDArray[np.intp]) -> NDArray[np.float64]:
    """Log-probabilities of some tokens, and of all others together."""
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    logp = np.take_along_axis(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), tokens, axis=1)
    rest = np.log(np.maximum(1 - np.exp(logp).sum(axis=1, keepdims=True), 1e-12))
    return np.concatenate([logp, rest], axis=1)
