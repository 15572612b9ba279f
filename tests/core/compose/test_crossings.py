"""gather and reduce, in numbers worked out by hand."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.compose.crossings import cross
from harness.core.program.op import Op


def crossing(name: str, **params: Any) -> Op:
    return Op(name, "cpu:0", (), ("out",), params=params)


def rows(*values: list[float]) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def test_gather_puts_columns_side_by_side() -> None:
    out = cross(crossing("gather", n_slots=1), [rows([1, 2], [5, 6]), rows([3], [7])])
    np.testing.assert_array_equal(out, [[1, 2, 3], [5, 6, 7]])


def test_gather_of_activations_does_so_within_each_slot() -> None:
    out = cross(crossing("gather", n_slots=2), [rows([1, 2, 5, 6]), rows([3, 7])])
    np.testing.assert_array_equal(out, [[1, 2, 3, 5, 6, 7]])


def test_reduce_adds_partial_sums_in_order_and_the_residual_last() -> None:
    a, b, x = rows([1e8]), rows([-1e8]), rows([1])
    np.testing.assert_array_equal(cross(crossing("reduce", wire="f32", residual=True), [a, b, x]), [[1]])
    np.testing.assert_array_equal(cross(crossing("reduce", wire="f32", residual=False), [a, b, x]), [[1]])
    np.testing.assert_array_equal(cross(crossing("reduce", wire="f32", residual=False), [a, x, b]), [[0]])


@pytest.mark.parametrize(("wire", "step"), [("f16", 2**-11), ("bf16", 2**-8)])
def test_partial_sums_are_rounded_to_the_wire_and_the_residual_is_not(wire: str, step: float) -> None:
    lost, kept = rows([1 + step / 2]), rows([step / 2])
    out = cross(crossing("reduce", wire=wire, residual=True), [lost, rows([0]), kept])
    np.testing.assert_array_equal(out, [[1 + step / 2]])


def test_a_sum_beyond_f16_is_infinite_on_that_wire() -> None:
    assert np.isinf(cross(crossing("reduce", wire="f16", residual=False), [rows([1e6])])).all()
