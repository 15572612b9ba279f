"""Tensors that real quantisers made of real-looking weights: decoded, they must be near what went in."""

import libgguf
import numpy as np
import pytest
from format_oracles import FIRST_IK_TYPE, ik_quantize, oracle
from test_dequantize import same_bits

from harness.core.formats import dequantize
from harness.core.formats.table import BY_NAME, FORMATS, Format

N_COLUMNS = 512
MAX_RELATIVE_L2 = {
    "IQ1_S": 0.65, "IQ1_M": 0.65, "IQ2_XXS": 0.42, "IQ2_XS": 0.38, "IQ2_S": 0.33, "Q2_K": 0.35, "IQ2_K": 0.35,
    "IQ2_KS": 0.34, "IQ3_XXS": 0.23, "IQ3_S": 0.2, "Q3_K": 0.2, "IQ3_K": 0.17, "MXFP4": 0.13, "IQ4_KSS": 0.12,
}  # fmt: skip
"""By format; those with four bits and more stay below a tenth."""


def some_weights(seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((2, N_COLUMNS)) * rng.uniform(0.3, 1, (2, 1)) / np.sqrt(N_COLUMNS)).astype(np.float32)


def really_quantised(fmt: Format, weights: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> np.ndarray:  # type: ignore[type-arg]
    if fmt.type_id >= FIRST_IK_TYPE:
        return ik_quantize(fmt, weights)
    importance = np.ones(N_COLUMNS, np.float32) if libgguf.quantize_requires_imatrix(fmt.type_id) else None
    return np.asarray(libgguf.quantize_rows(weights, fmt.type_id, importance)).view(np.uint8).reshape(len(weights), -1)


@pytest.mark.parametrize("fmt", [fmt for fmt in FORMATS if fmt.group], ids=lambda fmt: fmt.name)
def test_what_a_quantiser_made_decodes_to_what_it_was_given(fmt: Format) -> None:
    weights = some_weights(fmt.type_id)
    rows = really_quantised(fmt, weights)
    numbers = dequantize(fmt, rows, N_COLUMNS)
    assert same_bits(numbers, oracle(fmt, rows, N_COLUMNS))
    error = np.linalg.norm(numbers - weights) / np.linalg.norm(weights)
    assert error < MAX_RELATIVE_L2.get(fmt.name, 0.1)


def test_the_bound_would_notice_a_block_in_the_wrong_place() -> None:
    weights = some_weights(0)
    numbers = dequantize(BY_NAME["Q4_K"], really_quantised(BY_NAME["Q4_K"], weights), N_COLUMNS)
    assert np.linalg.norm(np.roll(numbers, 32, axis=1) - weights) / np.linalg.norm(weights) > 0.9
