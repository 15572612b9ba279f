"""What native code refuses: it trusts no size, shape, token or position that Python hands over."""

from typing import Any

import numpy as np
import pytest

from harness.core.cpu.native_module import native


def matrix(shape: tuple[int, int, int] = (2, 4, 64), row_bytes: int = 68, halves: int = 1, name: str = "Q8_0") -> Any:
    return native().Matrix(name, shape, row_bytes, halves)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"name": "Q9_9"}, "has no decoder"),
        ({"row_bytes": 67}, "take 68 bytes, not 67"),
        ({"shape": (2, 4, 65)}, "not whole blocks of 32"),
        ({"shape": (0, 4, 64)}, "out of range"),
        ({"shape": (2, -1, 64)}, "out of range"),
        ({"shape": (2, 2**31, 64)}, "out of range"),
        ({"shape": (2**31 - 1, 2**31 - 1, 64)}, "overflows"),
        ({"shape": (2, 3, 64), "halves": 2}, "even number of rows"),
        ({"halves": 3}, "neither one nor two"),
    ],
)
def test_a_weight_whose_shape_and_bytes_disagree_is_refused(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        matrix(**how)


@pytest.mark.parametrize(("first_row", "n_bytes"), [(0, 67), (8, 68), (-1, 68), (7, 136), (9, 0), (2**62, 68)])
def test_rows_that_do_not_fit_are_refused(first_row: int, n_bytes: int) -> None:
    weight = matrix()
    weight.allocate()
    with pytest.raises(ValueError, match="do not fit 8 rows of 68 bytes"):
        weight.place(first_row, np.zeros(n_bytes, np.uint8))


def test_rows_need_memory_first_and_a_mapping_the_right_size() -> None:
    with pytest.raises(ValueError, match="before memory was reserved"):
        matrix().place(0, np.zeros(68, np.uint8))
    with pytest.raises(ValueError, match="needs 544 bytes, but 543 were mapped"):
        matrix().map(np.zeros(543, np.uint8))


def context(**changes: Any) -> Any:
    how = {"kernels": "scalar", "ubatch": 4, "n_ctx": 8, "n_vocab": 8, "n_threads": 1, "buffers": [64, 4]} | changes
    return native().Context(**how)


def filled(shape: tuple[int, int, int] = (2, 4, 64)) -> Any:
    weight = matrix(shape)
    weight.allocate()
    return weight


def test_a_weight_without_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="weight has no memory yet"):
        context().linear(weight=matrix((1, 4, 64)), bias=None, x=(0, 64), residual=None, y=(1, 4))


@pytest.mark.parametrize("changes", [{"ubatch": 0}, {"ubatch": 2**62}, {"n_ctx": -1}, {"n_ctx": 2**63 - 1},
                                     {"buffers": [2**62]}, {"buffers": [0]}])  # fmt: skip
def test_a_context_of_an_impossible_size_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="1 to 1073741824"):
        context(**changes)


@pytest.mark.parametrize("extent", [(2**40, 64, 64, 0), (1, 2**20, 64, 0), (1, 64, 0, 0), (1, 64, 64, -1)])
def test_a_cache_of_an_impossible_size_is_refused(extent: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="extent is out of range"):
        context().add_cache(*extent)


def test_an_op_whose_weight_has_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="weight is 2 x 4 x 64 where 1 x 4 x 64 is needed"):
        context().linear(weight=filled(), bias=None, x=(0, 64), residual=None, y=(1, 4))
    with pytest.raises(ValueError, match="a value does not fit its buffer"):
        context().linear(weight=filled((1, 4, 64)), bias=None, x=(2, 64), residual=None, y=(1, 4))
    with pytest.raises(ValueError, match="fewer rows than the vocabulary"):
        context().embed(table=matrix((1, 4, 64)), x=(0, 64))


@pytest.mark.parametrize(
    ("ids", "position", "message"),
    [([8], 0, "not in the vocabulary"), ([-1], 0, "not in the vocabulary"), ([1] * 5, 0, "1 to 4 tokens"),
     ([], 0, "1 to 4 tokens"), ([1, 1], 7, "does not fit the context"), ([1], -1, "does not fit the context"),
     ([1], 2**63 - 1, "does not fit the context")],
)  # fmt: skip
def test_tokens_that_do_not_fit_are_refused(ids: list[int], position: int, message: str) -> None:
    table = matrix((1, 8, 64))
    table.allocate()
    sealed = context()
    sealed.embed(table=table, x=(0, 64))
    sealed.seal()
    with pytest.raises(ValueError, match=message):
        sealed.run(np.array(ids, np.int32), position, None)


def test_an_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(ValueError, match="kernels mmx cannot run"):
        context(kernels="mmx")
