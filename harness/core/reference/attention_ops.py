"""qkv, attention and attn_out.

Attention visits keys in chunks of 256 positions counted from 0 and combines chunks in ascending order. A score is one
chain of fused multiply-adds over the head's columns, an output one chain over the chunk's keys.
"""

import numpy as np
from numpy.typing import NDArray

from harness.core.reference.arithmetic import F32, exponential, fma, rms_normed, sum_last
from harness.core.reference.state import KvCache, Step

CHUNK = 256


def qkv(step: Step, h: F32) -> F32:
    """Projections, bias, head norms, rotation; K and V go to the cache."""
    n_head, n_head_kv = step.integer("n_head"), step.integer("n_head_kv")
    q, k, v = _projections(step, h)
    q = _positioned(step, "q_norm", q.reshape(len(h), n_head, -1))
    k = _positioned(step, "k_norm", k.reshape(len(h), n_head_kv, -1))
    cache = step.state.kv[step.integer("slot")]
    cache.store(step.state.positions, k, v.reshape(len(h), n_head_kv, -1))
    return q.reshape(len(h), -1)


def _projections(step: Step, h: F32) -> tuple[F32, F32, F32]:
    """Q, K and V with their biases, from whichever tensors hold them; each row range is multiplied by itself."""
    head_dim, n_head_kv = step.integer("head_dim"), step.integer("n_head_kv")
    n_rows = {"q": step.integer("n_head") * head_dim, "k": n_head_kv * head_dim}
    n_rows["v"] = n_head_kv * step.integer("head_dim_v")
    found = {}
    for role in ("q", "k", "v", "qk", "qkv"):
        first = 0
        for letter in role if role in step.weights else "":
            bias = step.bias(f"{role}_bias")
            part = None if bias is None else bias[first : first + n_rows[letter]]
            found[letter] = step.affine(step.weights[role].matrix(0, first, n_rows[letter]), part, h)
            first += n_rows[letter]
    return found["q"], found["k"], found["v"]


def _positioned(step: Step, norm: str, heads: F32) -> F32:
    """Heads [T, n, head_dim] normalised where the layer has a norm for them, then rotated to their positions."""
    if norm in step.weights:
        heads = rms_normed(heads, step.weights[norm].vector(), step.number("eps"))
    if step.op.params["rope"] == "none":
        return heads
    table = step.state.rope[step.integer("rope_table")]
    cos, sin = (side[step.state.positions, None, :] for side in table)
    return rotated(heads, cos, sin, step.text("rope"))


def rotated(heads: F32, cos: F32, sin: F32, kind: str) -> F32:
    """RoPE on the first n_rot dimensions: pairs (i, i + n_rot/2) for "neox", (2i, 2i + 1) for "norm"."""
    half = cos.shape[-1]
    first, second = (slice(0, half), slice(half, 2 * half)) if kind == "neox" else (_pairs(half, 0), _pairs(half, 1))
    a, b = heads[..., first], heads[..., second]
    turned = heads.copy()
    turned[..., first] = a * cos - b * sin
    turned[..., second] = a * sin + b * cos
    return turned


def _pairs(half: int, offset: int) -> slice:
    return slice(offset, 2 * half, 2)


def attention(step: Step, q: F32) -> F32:
    """Softmax over the visible keys (and the sink, an extra logit with no value), times the values."""
    n_head, n_head_kv = step.integer("n_head"), step.integer("n_head_kv")
    cache, window, positions = step.state.kv[step.integer("slot")], step.integer("window"), step.state.positions
    heads = q.reshape(len(q), n_head_kv, n_head // n_head_kv, -1).transpose(1, 2, 0, 3)
    running = _Running(heads.shape[:3], step.integer("head_dim_v"))
    oldest = max(0, step.state.position + 1 - window) if window else 0
    for start in range(oldest // CHUNK * CHUNK, step.state.position + len(q), CHUNK):
        keys = np.arange(start, min(start + CHUNK, step.state.position + len(q)))
        seen = keys[None, :] <= positions[:, None]
        if window:
            seen &= keys[None, :] > positions[:, None] - window
        scores = _scores(cache, keys, heads, step.number("scale"))
        running.add(np.where(seen, scores, np.float32(-np.inf)), cache.values[keys])
    if "sinks" in step.weights:
        running.add_sink(step.weights["sinks"].vector().reshape(n_head_kv, -1))
    return running.result().transpose(2, 0, 1, 3).reshape(len(q), -1)


def _scores(cache: KvCache, keys: NDArray[np.int64], heads: F32, scale: np.float32) -> F32:
    """[n_head_kv, group, T, keys], heads [n_head_kv, group, T, head_dim]."""
    k = cache.keys[keys].astype(np.float32).transpose(1, 2, 0)[:, None, :, None, :]
    scores = np.zeros((*heads.shape[:3], len(keys)), np.float32)
    for d in range(heads.shape[-1]):
        scores = fma(k[:, :, d], heads[..., d, None], scores)
    return scores * scale


class _Running:
    """Maximum, sum and weighted values of the chunks so far; [n_head_kv, group, T] each, values with a last axis."""

    def __init__(self, shape: tuple[int, ...], head_dim_v: int) -> None:
        self._max = np.full(shape, -np.inf, np.float32)
        self._sum = np.zeros(shape, np.float32)
        self._acc = np.zeros((*shape, head_dim_v), np.float32)

    def add(self, scores: F32, values: NDArray[np.floating]) -> None:
        """One chunk: scores [..., keys], values [keys, n_head_kv, head_dim_v]."""
        largest = scores.max(axis=-1)
        share = exponential(scores - _finite(largest)[..., None])
        acc = np.zeros_like(self._acc)
        for key, v in enumerate(values.astype(np.float32)):
            acc = fma(share[..., key, None], v[:, None, None, :], acc)
        self._combine(largest, sum_last(share), acc)

    def add_sink(self, sinks: F32) -> None:
        """A logit per head [n_head_kv, group] that takes its share and gives nothing."""
        largest = np.broadcast_to(sinks[..., None], self._max.shape)
        self._combine(largest, np.ones_like(self._sum), np.zeros_like(self._acc))

    def _combine(self, largest: F32, total: F32, acc: F32) -> None:
        new = np.maximum(self._max, largest)
        old_share, share = (exponential(side - _finite(new)) for side in (self._max, largest))
        self._sum = self._sum * old_share + total * share
        self._acc = self._acc * old_share[..., None] + acc * share[..., None]
        self._max = new

    def result(self) -> F32:
        return self._acc / self._sum[..., None]


def _finite(largest: F32) -> F32:
    """A maximum that can be subtracted: 0 where no key was visible."""
    return np.where(np.isneginf(largest), np.float32(0), largest)


def attn_out(step: Step, a: F32, x: F32 | None = None) -> F32:
    """Output projection, bias, residual."""
    y = step.affine(step.weights["o"].matrix(), step.bias("o_bias"), a)
    return y if x is None else x + y
