"""Whether an axis that must not change results did. Fast and wrong is INVALID, whatever the speed.

Logits of one fixed stream of tokens, [n_tokens, n_vocab] float32 each, are compared position by position.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.records.record import Equivalence

CLOSE = 3e-2
"""Largest median relative L2 distance within one engine: int8 activations cost 1 to 2.3e-2."""
CLOSE_ACROSS_ENGINES = 0.15
"""Two engines that quantise activations in different blocks route differently now and then: correct ones are 3 to 6e-2
apart on random weights. Permuted experts give 0.8 and more."""
KL_SHARE = 1 / 3
"""Of the tolerance: the largest median Kullback-Leibler divergence in nats. Permuted experts give over 0.1."""

Logits = NDArray[np.float32]


def compare_logits(reference: Logits, candidate: Logits, against: str = "", tolerance: float = CLOSE) -> Equivalence:
    """identical: the same bits. close: median relative L2 ≤ tolerance, median KL ≤ a third of it. Else INVALID.

    Medians, because where routing flips a single position may be far off in both of two correct engines. `tolerance` 0
    accepts identical bits alone. `against` names the reference. `kl` is the median in nats, `top1` the share of
    positions with the same most likely token.
    """
    if reference.shape != candidate.shape:
        note = f"shapes differ: {list(candidate.shape)} against {list(reference.shape)}"
        return Equivalence("INVALID", against, note=note)
    broken = int(np.count_nonzero(~np.isfinite(candidate))) + int(np.count_nonzero(~np.isfinite(reference)))
    if broken:
        return Equivalence("INVALID", against, note=f"{broken} logits are not finite")
    if np.array_equal(reference.view(np.uint32), candidate.view(np.uint32)):
        return Equivalence("identical", against, max_abs=0.0, kl=0.0, top1=1.0, note=_stream(reference))
    return _distance(reference.astype(np.float64), candidate.astype(np.float64), against, tolerance)


def with_perplexity(
    found: Equivalence, reference: Logits, candidate: Logits, tokens: NDArray[np.int32], tolerance: float = CLOSE
) -> Equivalence:
    """`found` with both perplexities of real text; INVALID where their logarithms differ by more than `tolerance`.

    Medians forgive a few positions that are far off; the mean that perplexity is does not.
    """
    if reference.shape != candidate.shape or not (np.isfinite(reference).all() and np.isfinite(candidate).all()):
        return found
    before, after = perplexity(reference, tokens), perplexity(candidate, tokens)
    note = f"{found.note}; perplexity {before:.4f} and {after:.4f}"
    far = abs(np.log(after / before)) > tolerance
    return replace(found, verdict="INVALID" if far else found.verdict, note=note)


def perplexity(logits: Logits, tokens: NDArray[np.int32]) -> float:
    """The exponential of the mean negative log-likelihood of tokens[1:] under logits[:-1]."""
    if len(tokens) < 2 or len(tokens) != len(logits):
        raise ValueError(f"perplexity needs two tokens or more and their logits, got {len(tokens)} and {len(logits)}")
    log_p = _log_softmax(logits[:-1].astype(np.float64))
    return float(np.exp(-log_p[np.arange(len(tokens) - 1), tokens[1:]].mean()))


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import log_softmax  # noqa: PLC0415  a tenth of a second of every worker's start

    found: NDArray[np.float64] = log_softmax(logits, axis=-1)
    return found


def _distance(
    reference: NDArray[np.float64], candidate: NDArray[np.float64], against: str, limit: float
) -> Equivalence:
    difference = np.linalg.norm(candidate - reference, axis=-1)
    relative = float(np.median(difference / np.maximum(np.linalg.norm(reference, axis=-1), np.finfo(np.float64).tiny)))
    log_p, log_q = _log_softmax(reference), _log_softmax(candidate)
    kl = float(np.median(np.sum(np.exp(log_p) * (log_p - log_q), axis=-1)))
    return Equivalence(
        verdict="close" if relative <= limit and kl <= limit * KL_SHARE else "INVALID",
        against=against,
        max_abs=float(np.abs(candidate - reference).max()),
        kl=max(kl, 0.0),
        top1=float(np.mean(reference.argmax(axis=-1) == candidate.argmax(axis=-1))),
        note=f"median relative L2 {relative:.2e} over {_stream(reference)}",
    )


def _stream(logits: NDArray[np.float32] | NDArray[np.float64]) -> str:
    return f"{logits.shape[0]} positions, {logits.shape[1]} logits each"
