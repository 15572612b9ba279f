"""Rounded attention as docs/numerics.md defines it, for queries that share one KV head: NumPy, exact whole numbers.

What is rounded can be changed on its way, so that a test can say what a mistake would do.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.reference.arithmetic import LANES, exponential, fma, in_lanes, sum_last, sum_of_lanes
from harness.core.reference.attention_ops import CHUNK, _Running

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]

LARGEST_CODE, LARGEST_NORM, LARGEST_VALUE = np.float32(32766), np.float32(46300), np.float32(8191)
LARGEST_SHARE, LARGEST_SHARES, LEAST_SHARE = np.float32(32767), np.float32(262000), np.float32(1e-38)


@dataclass(frozen=True)
class Rounded:
    """Codes [n, columns] and a step for each row."""

    codes: Whole
    steps: Floats


Change = Callable[[Rounded], Rounded]


def coded(x: Floats) -> Whole:
    """Rounded to whole numbers, half to even; 0 for what is no number."""
    return np.nan_to_num(np.rint(x), nan=0, posinf=0, neginf=0).astype(np.int64)


@np.errstate(divide="ignore", invalid="ignore")
def rounded_queries(q: Floats, scale: np.float32) -> Rounded:
    """[n, head_dim]; the attention's scale is in the steps."""
    largest = np.abs(q).max(axis=1)
    inverse = np.where(largest > np.float32(1e-30), np.float32(1) / largest, np.float32(0))
    squares = np.zeros((len(q), 2 * LANES), np.float32)
    for part in in_lanes(q * inverse[:, None], 2 * LANES):
        squares = fma(part, part, squares)
    norm = np.sqrt(sum_of_lanes(squares[:, :LANES] + squares[:, LANES:]))
    level = np.minimum(LARGEST_CODE, LARGEST_NORM / norm)
    return Rounded(coded(q * (level * inverse)[:, None]), largest / level * scale)


@np.errstate(divide="ignore", invalid="ignore")
def rounded_keys(k: Floats) -> Rounded:
    """[n, head_dim]"""
    squares = np.zeros((2, len(k)), np.float32)
    for d, column in enumerate(k.T):
        squares[d % 2] = fma(column, column, squares[d % 2])
    norm = np.sqrt(squares[0] + squares[1])
    scale = np.minimum(LARGEST_CODE / np.abs(k).max(axis=1), LARGEST_NORM / norm)
    return Rounded(coded(k * scale[:, None]), np.float32(1) / scale)


@np.errstate(divide="ignore", invalid="ignore")
def rounded_values(v: Floats) -> Rounded:
    """[n, head_dim]"""
    largest = np.abs(v).max(axis=1)
    return Rounded(coded(v * (LARGEST_VALUE / largest)[:, None]), largest / LARGEST_VALUE)


@np.errstate(divide="ignore", invalid="ignore")
def rounded_shares(e: Floats, value_steps: Floats) -> Rounded:
    """[n, keys], exp(score - maximum)"""
    shares = np.where(e >= LEAST_SHARE, e * value_steps, np.float32(0))
    largest = shares.max(axis=1)
    scale = np.fmin(np.floor(LARGEST_SHARES * (largest / sum_last(shares))), LARGEST_SHARE) / largest
    return Rounded(coded(shares * scale[:, None]), np.float32(1) / scale)


def as_it_is(rounded: Rounded) -> Rounded:
    return rounded


def rounded_attention(
    q: Floats,
    k: Floats,
    v: Floats,
    window: int = 0,
    *,
    keys_change: Change = as_it_is,
    values_change: Change = as_it_is,
    shares_change: Change = as_it_is,
) -> Floats:
    """q [T, group, head_dim], k and v [T, head_dim] as the cache holds them: [T, group, head_dim]."""
    n, group, head_dim = q.shape
    queries = rounded_queries(q.reshape(-1, head_dim), np.float32(head_dim**-0.5))
    positions = np.repeat(np.arange(n), group)
    running = _Running((len(positions),), head_dim)
    for start in range(0, n, CHUNK):
        at = np.arange(start, min(start + CHUNK, n))
        keys, values = keys_change(rounded_keys(k[at])), values_change(rounded_values(v[at]))
        scores = (queries.codes @ keys.codes.T).astype(np.float32) * (queries.steps[:, None] * keys.steps)
        seen = at[None, :] <= positions[:, None]
        if window:
            seen &= at[None, :] > positions[:, None] - window
        scores = np.where(seen, scores, np.float32(-np.inf))
        largest = scores.max(axis=1)
        e = exponential(scores - np.where(seen.any(axis=1), largest, np.float32(0))[:, None])
        shares = shares_change(rounded_shares(e, values.steps))
        acc = (shares.codes @ values.codes).astype(np.float32) * shares.steps[:, None]
        running._combine(largest, sum_last(e), acc)
    return running.result().reshape(n, group, head_dim)
