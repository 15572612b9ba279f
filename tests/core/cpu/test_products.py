"""Products of every format against the reference's rule, to the bit, at sizes that fill no tile."""

import numpy as np
import pytest
from closeness import distance
from numpy.typing import NDArray
from product_lab import cpu_product, reference_product, tokens_of

from harness.core.cpu import PACKED_FORMATS, packed_bytes
from harness.core.cpu.native_module import native
from harness.core.formats import dequantize, normal_form, random_rows
from harness.core.formats.table import BY_NAME, FORMATS, Format

QUANTISED = [row.name for row in FORMATS if row.group and row.name in native().formats()]
FLOATS = ["F32", "F16", "BF16"]
PACKED = [*((name, "packed") for name in sorted(PACKED_FORMATS)), ("IQ2_XXS", "packed_small")]
SIZES = [(1, 1), (16, 1), (33, 1), (17, 2), (40, 7), (21, 12), (50, 33), (7, 64)]


def made_rows(name: str, n_rows: int, n_columns: int = 0) -> tuple[NDArray[np.uint8], int]:
    fmt = BY_NAME[name]
    n_columns = n_columns or (768 if fmt.block == 256 else 608 if fmt.block == 32 else 83)
    return random_rows(fmt, n_rows, n_columns, np.random.default_rng(n_rows)), n_columns


@pytest.mark.parametrize("name", [*FLOATS, *QUANTISED])
@pytest.mark.parametrize(("n_rows", "n_tokens"), SIZES)
def test_a_product_has_the_bits_of_the_reference(name: str, n_rows: int, n_tokens: int, kernels: str) -> None:
    rows, n_columns = made_rows(name, n_rows)
    x = tokens_of(n_tokens, n_columns, seed=1)
    out = cpu_product(name, rows, x, kernels, threads=2)
    np.testing.assert_array_equal(out, reference_product(name, rows, x))


def test_planning_knows_which_formats_are_packed() -> None:
    assert set(native().packed_formats()) == PACKED_FORMATS


@pytest.mark.parametrize(("name", "layout"), PACKED)
def test_planning_knows_what_packed_weights_take(name: str, layout: str) -> None:
    small, row_bytes = layout == "packed_small", BY_NAME[name].row_bytes(2048)
    matrix = native().Matrix(name, (3, 40, 2048), row_bytes, 1, True, small)
    assert matrix.n_bytes == 3 * packed_bytes(name, 40, 2048, small=small)


@pytest.mark.parametrize(("name", "layout"), PACKED)
@pytest.mark.parametrize(("n_rows", "n_tokens"), SIZES)
def test_packed_rows_give_the_bits_of_the_reference(
    name: str, layout: str, n_rows: int, n_tokens: int, kernels: str
) -> None:
    rows, n_columns = made_rows(name, n_rows)
    x = tokens_of(n_tokens, n_columns, seed=1)
    out = cpu_product(name, rows, x, kernels, threads=2, layout=layout)
    np.testing.assert_array_equal(out, reference_product(name, rows, x))


@pytest.mark.parametrize(("name", "layout"), PACKED)
@pytest.mark.parametrize("n_tokens", [3, 5])
def test_packed_rows_longer_than_a_panel_are_summed_in_one_order(
    name: str, layout: str, n_tokens: int, kernels: str
) -> None:
    rows, n_columns = made_rows(name, 18, 4352)
    x = tokens_of(n_tokens, n_columns, seed=2)
    np.testing.assert_array_equal(cpu_product(name, rows, x, kernels, layout=layout), reference_product(name, rows, x))


@pytest.mark.parametrize("name", QUANTISED)
def test_a_row_longer_than_a_panel_is_summed_in_one_order(name: str, kernels: str) -> None:
    rows, n_columns = made_rows(name, 18, 4352)
    x = tokens_of(3, n_columns, seed=2)
    np.testing.assert_array_equal(cpu_product(name, rows, x, kernels), reference_product(name, rows, x))


@pytest.mark.parametrize(("name", "layout"), [*((name, "rows") for name in QUANTISED), *PACKED])
def test_the_largest_sums_a_format_allows_do_not_overflow(name: str, layout: str, kernels: str) -> None:
    rows, n_columns = made_rows(name, 16)
    signs = np.where(normal_form(BY_NAME[name], rows, n_columns).codes > 0, np.float32(1), np.float32(-1))
    for x in (signs, -signs, np.ones_like(signs)):
        out = cpu_product(name, rows, x, kernels, layout=layout)
        np.testing.assert_array_equal(out, reference_product(name, rows, x))


@pytest.mark.parametrize("name", QUANTISED)
def test_a_scale_that_is_off_by_one_block_is_caught(name: str, kernels: str) -> None:
    rows, n_columns = made_rows(name, 16)
    x = tokens_of(4, n_columns, seed=3)
    mutant = moved_by_a_block(BY_NAME[name], rows)
    assert distance(cpu_product(name, mutant, x, kernels), reference_product(name, rows, x)) > 1e-3


def moved_by_a_block(fmt: Format, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    body = rows[:, fmt.row_header_bytes :].reshape(len(rows), -1, fmt.block_bytes)
    mutant = rows.copy()
    mutant[:, fmt.row_header_bytes :] = np.roll(body, 1, axis=1).reshape(len(rows), -1)
    return mutant


@pytest.mark.parametrize(("name", "layout"), [*((name, "rows") for name in (*FLOATS, *QUANTISED)), *PACKED])
def test_a_table_row_is_embedded_as_the_format_decodes_it(name: str, layout: str) -> None:
    rows, n_columns = made_rows(name, 9, 0 if name in FLOATS else 2304)
    matrix = native().Matrix(name, (1, 9, n_columns), rows.shape[1], 1, layout != "rows", layout == "packed_small")
    matrix.allocate()
    matrix.place(0, rows)
    context = native().Context(kernels="scalar", ubatch=9, n_ctx=9, n_vocab=9, n_threads=1, buffers=[n_columns])
    context.embed(table=matrix, x=(0, n_columns))
    context.seal()
    ids = np.array([8, 0, 3, 3, 1], np.int32)
    context.run(ids, 0, np.empty((5, 9), np.float32))
    out = np.empty((5, n_columns), np.float32)
    context.read((0, n_columns), out)
    np.testing.assert_array_equal(out, dequantize(BY_NAME[name], rows, n_columns)[ids])
