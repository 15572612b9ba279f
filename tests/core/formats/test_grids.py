"""The codebooks against the gguf package's."""

import gguf.quants
import numpy as np
import pytest

from harness.core.formats.grids import NAMES, grid, signs

THEIRS = {
    "iq2_xxs": gguf.quants.IQ2_XXS,
    "iq2_xs": gguf.quants.IQ2_XS,
    "iq2_s": gguf.quants.IQ2_S,
    "iq3_xxs": gguf.quants.IQ3_XXS,
    "iq3_s": gguf.quants.IQ3_S,
    "iq1": gguf.quants.IQ1_S,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_codebook_is_that_of_ggml(name: str) -> None:
    THEIRS[name].init_grid()
    theirs = np.asarray(THEIRS[name].grid).reshape(THEIRS[name].grid_shape)
    assert grid(name).dtype == np.int8
    assert grid(name).flags.c_contiguous
    assert np.array_equal(grid(name), theirs)


def test_signs_are_those_of_ggml() -> None:
    theirs = np.unpackbits(np.frombuffer(gguf.quants.IQ2_XXS.ksigns, np.uint8)[:, None], axis=1, bitorder="little")
    assert np.array_equal(signs(), 1 - 2 * theirs.astype(np.int8))


def test_nobody_can_change_a_codebook() -> None:
    with pytest.raises(ValueError, match="read-only"):
        grid("iq1")[0, 0] = 1
