"""Every format of the table against somebody else's code, on bytes nobody would have chosen."""

import gguf
import numpy as np
import pytest
from format_oracles import oracle
from numpy.typing import NDArray

from harness.core.errors import UnsupportedError
from harness.core.formats import NormalForm, dequantize, normal_form, quantize, random_rows
from harness.core.formats.table import FORMATS, Format

N_COLUMNS = 512
QUANTISED = [fmt for fmt in FORMATS if fmt.group]
by_name = pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
quantised_by_name = pytest.mark.parametrize("fmt", QUANTISED, ids=lambda fmt: fmt.name)


def same_bits(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Equal bit for bit, where any NaN equals any other."""
    equal = (a.view(np.uint32) == b.view(np.uint32)) | (np.isnan(a) & np.isnan(b))
    return bool(equal.all())


def any_bytes(fmt: Format, n_rows: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n_rows, fmt.row_bytes(N_COLUMNS)), np.uint8)


def weights(fmt: Format, n_rows: int, seed: int = 2) -> NDArray[np.uint8]:
    return random_rows(fmt, n_rows, N_COLUMNS, np.random.default_rng(seed))


@by_name
def test_dequantisation_of_any_bytes_is_bit_exact(fmt: Format) -> None:
    rows = any_bytes(fmt, 200)
    assert same_bits(dequantize(fmt, rows, N_COLUMNS), oracle(fmt, rows, N_COLUMNS))


@by_name
def test_dequantisation_of_ordinary_weights_is_bit_exact(fmt: Format) -> None:
    rows = weights(fmt, 100)
    numbers = dequantize(fmt, rows, N_COLUMNS)
    assert np.isfinite(numbers).all()
    assert same_bits(numbers, oracle(fmt, rows, N_COLUMNS))


@by_name
def test_random_weights_are_as_large_as_a_trained_models(fmt: Format) -> None:
    numbers = dequantize(fmt, weights(fmt, 100), N_COLUMNS) * np.sqrt(N_COLUMNS)
    assert 0.8 < numbers.std() < 1.2
    assert abs(numbers.mean()) < 0.15


@by_name
def test_the_same_seed_gives_the_same_bytes(fmt: Format) -> None:
    assert np.array_equal(weights(fmt, 5, seed=7), weights(fmt, 5, seed=7))
    assert not np.array_equal(weights(fmt, 5, seed=7), weights(fmt, 5, seed=8))


@quantised_by_name
def test_the_normal_form_has_the_groups_the_table_promises(fmt: Format) -> None:
    form = normal_form(fmt, weights(fmt, 3), N_COLUMNS)
    assert form.codes.dtype == np.int8
    assert form.codes.shape == (3, N_COLUMNS)
    assert form.scale.dtype == np.float32
    assert form.scale.shape == (3, N_COLUMNS // fmt.group)
    assert (form.minimum is not None) == fmt.has_minimum
    if form.minimum is not None:
        assert form.minimum.dtype == np.float32
        assert form.minimum.shape == form.scale.shape


def _shifted(values: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    return np.roll(values, by, axis=1)


def mutants(form: NormalForm, group: int) -> dict[str, NormalForm]:
    """Mistakes of the kind that decoders have."""
    found = {
        "scale of the next group": NormalForm(form.codes, _shifted(form.scale, -1), form.minimum),
        "codes off by one": NormalForm(np.roll(form.codes, 1, axis=1), form.scale, form.minimum),
        "codes of the next group": NormalForm(np.roll(form.codes, group, axis=1), form.scale, form.minimum),
    }
    if form.minimum is not None:
        found["minimum of the next group"] = NormalForm(form.codes, form.scale, _shifted(form.minimum, -1))
        found["minimum lost"] = NormalForm(form.codes, form.scale, None)
    return found


@quantised_by_name
def test_the_oracle_catches_a_wrong_decoder(fmt: Format) -> None:
    rows = weights(fmt, 4)
    truth = oracle(fmt, rows, N_COLUMNS)
    form = normal_form(fmt, rows, N_COLUMNS)
    assert same_bits(form.dequantize(), truth)
    for mistake, mutant in mutants(form, fmt.group).items():
        assert not same_bits(mutant.dequantize(), truth), mistake


QUANTISERS = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "MXFP4"]


@pytest.mark.parametrize("fmt", [fmt for fmt in FORMATS if fmt.name in QUANTISERS], ids=lambda fmt: fmt.name)
def test_quantised_bytes_are_those_of_the_gguf_package(fmt: Format) -> None:
    numbers = np.random.default_rng(3).standard_normal((64, N_COLUMNS), np.float32)
    numbers[3] = 0
    numbers[4] *= np.float32(1e-6)
    numbers[5] *= np.float32(1e4)
    theirs = gguf.quants.quantize(numbers, gguf.GGMLQuantizationType(fmt.type_id))
    assert np.array_equal(quantize(fmt, numbers), theirs.view(np.uint8).reshape(64, -1))


@pytest.mark.parametrize("fmt", [fmt for fmt in FORMATS if fmt.name not in QUANTISERS], ids=lambda fmt: fmt.name)
def test_a_format_without_a_quantiser_says_so(fmt: Format) -> None:
    with pytest.raises(UnsupportedError, match="llama-quantize"):
        quantize(fmt, np.zeros((1, 256), np.float32))


@pytest.mark.parametrize("fmt", [fmt for fmt in FORMATS if not fmt.group], ids=lambda fmt: fmt.name)
def test_plain_numbers_have_no_codes(fmt: Format) -> None:
    with pytest.raises(UnsupportedError, match="plain numbers"):
        normal_form(fmt, any_bytes(fmt, 1), N_COLUMNS)


@by_name
def test_rows_of_another_size_are_refused(fmt: Format) -> None:
    with pytest.raises(ValueError, match="need uint8 rows"):
        dequantize(fmt, any_bytes(fmt, 2)[:, 1:], N_COLUMNS)
