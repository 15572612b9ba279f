"""Products of the q8 mode against the rules of docs/numerics.md, computed one number at a time in exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.formats import dequantize, normal_form, random_rows
from harness.core.formats.table import BY_NAME, FORMATS
from harness.core.reference.arithmetic import fma, quantized_activations, rms_normed, sum_last
from harness.core.reference.products import FloatProduct, Q8Product
from harness.core.reference.weights import Matrix, Room, Stored

QUANTISED = [fmt.name for fmt in FORMATS if fmt.group]
PLAIN = [fmt.name for fmt in FORMATS if not fmt.group]


def matrix(format_name: str, n_rows: int, n_columns: int, seed: int = 0) -> Matrix:
    fmt = BY_NAME[format_name]
    rows = random_rows(fmt, n_rows, n_columns, np.random.default_rng(seed))
    return Stored(rows, fmt, 1, n_rows, n_columns, Room()).matrix()


def activations(n_tokens: int, n_columns: int, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((n_tokens, n_columns), np.float32)


def exact_fma(a: np.float32, b: np.float32, c: np.float32) -> np.float32:
    """One rounding, by fractions: numerator and denominator are rounded to nearest even by Python itself."""
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    near = np.float32(float(exact))
    others = (np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf)))
    return min(others, key=lambda f: (abs(Fraction(float(f)) - exact), int(f.view(np.int32)) & 1))


def slow_quantised(format_name: str, rows: Matrix, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rules, word for word, for one token."""
    fmt = BY_NAME[format_name]
    form = normal_form(fmt, rows.stored.data, rows.stored.columns)
    y = np.zeros(rows.count, np.float32)
    for row in range(rows.count):
        for block in range(len(x) // 32):
            part = x[block * 32 : block * 32 + 32]
            amax = np.abs(part).max()
            d, inverse = amax / np.float32(127), np.float32(127) / amax
            q = np.rint(part * inverse).astype(np.int64)
            groups = range(block * 32 // fmt.group, (block * 32 + 32) // fmt.group)
            spans = [slice(g * fmt.group - block * 32, (g + 1) * fmt.group - block * 32) for g in groups]
            for g, span in zip(groups, spans, strict=True):
                codes = form.codes[row, g * fmt.group : (g + 1) * fmt.group].astype(np.int64)
                y[row] = exact_fma(np.float32((codes * q[span]).sum()), form.scale[row, g] * d, y[row])
            if form.minimum is None:
                continue
            for g, span in zip(groups, spans, strict=True):
                y[row] = exact_fma(np.float32(-q[span].sum()), form.minimum[row, g] * d, y[row])
    return y


@pytest.mark.parametrize("format_name", QUANTISED)
def test_a_product_follows_the_rules_to_the_bit(format_name: str) -> None:
    weights = matrix(format_name, 3, 512)
    x = activations(2, 512)
    y = Q8Product()(weights, x)
    for token in range(2):
        np.testing.assert_array_equal(y[token], slow_quantised(format_name, weights, x[token]))


@pytest.mark.parametrize("format_name", PLAIN)
@pytest.mark.parametrize("n_columns", [40, 45])
def test_plain_weights_are_summed_in_eight_parts(format_name: str, n_columns: int) -> None:
    weights, x = matrix(format_name, 3, n_columns), activations(1, n_columns)
    w = dequantize(BY_NAME[format_name], weights.stored.data, n_columns)
    for row in range(3):
        s = [np.float32(0)] * 8
        for k in range(n_columns):
            s[k % 8] = exact_fma(w[row, k], x[0, k], s[k % 8])
        expected = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
        assert Q8Product()(weights, x)[0, row] == expected


@pytest.mark.parametrize("format_name", [*QUANTISED, *PLAIN])
def test_neither_other_tokens_nor_other_rows_change_a_bit(format_name: str) -> None:
    weights, x = matrix(format_name, 37, 256), activations(9, 256)
    together = Q8Product()(weights, x)
    for token in range(9):
        np.testing.assert_array_equal(Q8Product()(weights, x[token : token + 1])[0], together[token])
    np.testing.assert_array_equal(Q8Product()(weights.part(5, 11), x), together[:, 5:16])


@pytest.mark.parametrize("format_name", [*QUANTISED, *PLAIN])
def test_both_modes_are_near_the_product_in_float64(format_name: str) -> None:
    weights, x = matrix(format_name, 64, 512), activations(8, 512)
    exact = x.astype(np.float64) @ dequantize(BY_NAME[format_name], weights.stored.data, 512).astype(np.float64).T
    norm = np.linalg.norm(exact)
    assert np.linalg.norm(FloatProduct()(matrix(format_name, 64, 512), x) - exact) / norm < 1e-6
    assert np.linalg.norm(Q8Product()(weights, x) - exact) / norm < 1.5e-2


def test_fma_rounds_once() -> None:
    rng = np.random.default_rng(3)
    a, b, c = (rng.standard_normal(2000).astype(np.float32) for _ in range(3))
    c[::2] = -(a * b)[::2]  # cancellation shows what a separate rounding of the product would lose
    result = fma(a, b, c)
    assert [exact_fma(*three) for three in zip(a, b, c, strict=True)] == list(result)
    assert (result != a * b + c).any()


def test_a_block_of_zeros_quantises_to_zero() -> None:
    q, d = quantized_activations(np.zeros((1, 64), np.float32))
    assert not q.any()
    assert not d.any()


def test_quantised_activations_stay_within_127() -> None:
    q, d = quantized_activations(activations(50, 320) * np.float32(1e-30))
    assert np.abs(q).max() == 127
    assert (d > 0).all()


def test_norms_divide_by_the_root_mean_square() -> None:
    x, weight = activations(3, 45), activations(1, 45)[0]
    wide = x.astype(np.float64)
    expected = wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + 1e-5) * weight
    np.testing.assert_allclose(rms_normed(x, weight, np.float32(1e-5)), expected, rtol=1e-6)


def test_a_sum_takes_every_number() -> None:
    np.testing.assert_allclose(sum_last(np.arange(1, 12, dtype=np.float32)[None]), [66])


def test_decoding_again_gives_the_same_when_there_is_no_room_to_keep_it() -> None:
    fmt = BY_NAME["Q4_K"]
    rows = random_rows(fmt, 8, 256, np.random.default_rng(0))
    kept, poor = (Stored(rows, fmt, 1, 8, 256, Room(n)) for n in (1 << 20, 0))
    x = activations(2, 256)
    np.testing.assert_array_equal(Q8Product()(kept.matrix(), x), Q8Product()(poor.matrix(), x))
    assert kept.decoded
    assert not poor.decoded
