"""Attention over long caches: chunks, windows and sinks against one softmax in float64."""

import numpy as np
import pytest

from harness.core.formats.table import BY_NAME
from harness.core.program.op import Op
from harness.core.reference.attention_ops import attention, rotated
from harness.core.reference.products import FloatProduct
from harness.core.reference.state import KvCache, State, Step
from harness.core.reference.weights import Room, Stored

N_HEAD, N_HEAD_KV, HEAD_DIM, HEAD_DIM_V = 4, 2, 16, 24


@pytest.mark.parametrize("with_sinks", [False, True])
@pytest.mark.parametrize("window", [0, 1, 5, 256, 300])
@pytest.mark.parametrize(("position", "n_tokens"), [(0, 1), (0, 40), (255, 1), (256, 3), (250, 12), (600, 7)])
def test_chunks_windows_and_sinks_are_one_softmax(position: int, n_tokens: int, window: int, with_sinks: bool) -> None:
    rng = np.random.default_rng(position + window)
    end = position + n_tokens
    keys = rng.standard_normal((end, N_HEAD_KV, HEAD_DIM)).astype(np.float16)
    values = rng.standard_normal((end, N_HEAD_KV, HEAD_DIM_V)).astype(np.float16)
    q = rng.standard_normal((n_tokens, N_HEAD * HEAD_DIM), np.float32)
    sinks = rng.standard_normal(N_HEAD).astype(np.float32)
    params = {"slot": 0, "n_head": N_HEAD, "n_head_kv": N_HEAD_KV, "head_dim": HEAD_DIM, "head_dim_v": HEAD_DIM_V}
    op = Op("attention", "reference", ("q",), ("a",), params=params | {"scale": 0.7, "window": window})
    stored = Stored(sinks.view(np.uint8)[None], BY_NAME["F32"], 1, 1, N_HEAD, Room())
    state = State(np.zeros(n_tokens, np.int32), position, (KvCache(keys, values),), (), FloatProduct())
    a = attention(Step(op, {"sinks": stored} if with_sinks else {}, state), q)
    for token in range(n_tokens):
        at = position + token
        first = max(0, at - window + 1) if window else 0
        for head in range(N_HEAD):
            scores = keys[first : at + 1, head // 2].astype(float) @ q[token, head * 16 : head * 16 + 16].astype(float)
            share = np.exp(0.7 * scores)
            total = share.sum() + (np.exp(sinks[head]) if with_sinks else 0)
            expected = share @ values[first : at + 1, head // 2].astype(float) / total
            np.testing.assert_allclose(a[token, head * 24 : head * 24 + 24], expected, rtol=1e-4, atol=2e-6)


def test_a_partial_rotation_leaves_the_other_dimensions_alone() -> None:
    heads = np.random.default_rng(0).standard_normal((1, 1, 8)).astype(np.float32)
    cos, sin = np.float32([0.0, 1.0]), np.float32([1.0, 0.0])
    neighbours, halves = rotated(heads, cos, sin, "norm"), rotated(heads, cos, sin, "neox")
    np.testing.assert_array_equal(neighbours[0, 0, :4], heads[0, 0, [1, 0, 2, 3]] * np.float32([-1, 1, 1, 1]))
    np.testing.assert_array_equal(halves[0, 0, :4], heads[0, 0, [2, 1, 0, 3]] * np.float32([-1, 1, 1, 1]))
    np.testing.assert_array_equal(neighbours[..., 4:], heads[..., 4:])
    np.testing.assert_array_equal(halves[..., 4:], heads[..., 4:])
