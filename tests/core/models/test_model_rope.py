from typing import Any

import numpy as np
import pytest

from harness.core.errors import UnsupportedError
from harness.core.models.keys import Keys
from harness.core.models.rope import RopeScaling, read_scaling, rope_table

GPT_OSS = RopeScaling("yarn", 32.0, 4096, 1.0, 32.0, 1.0)
PLAIN = RopeScaling("none", 1.0, 4096, 1.0, 32.0, 1.0)


def test_without_scaling_frequencies_are_powers_of_the_base() -> None:
    table = rope_table(8, 10000.0, PLAIN)
    np.testing.assert_allclose(table.frequencies, [1.0, 0.1, 0.01, 0.001])
    assert table.magnitude == 1.0


def test_linear_scaling_divides_every_frequency() -> None:
    table = rope_table(8, 10000.0, RopeScaling("linear", 4.0, 4096, 1.0, 32.0, 1.0))
    np.testing.assert_allclose(table.frequencies, [0.25, 0.025, 0.0025, 0.00025])


def test_yarn_of_gpt_oss_keeps_fast_frequencies_and_stretches_slow_ones() -> None:
    """64·ln(4096/(32·2π))/(2·ln 150000) = 8.09 and, for one turn, 17.4: the ramp runs from dimension 8 to 18."""
    table, plain = rope_table(64, 150000.0, GPT_OSS), rope_table(64, 150000.0, PLAIN)
    ratio = table.frequencies / plain.frequencies
    np.testing.assert_allclose(ratio[:9], 1.0)
    np.testing.assert_allclose(ratio[18:], 1 / 32)
    np.testing.assert_allclose(ratio[13], 0.5 + 0.5 / 32)


def test_yarn_multiplies_by_the_magnitude_of_its_paper() -> None:
    assert rope_table(64, 150000.0, GPT_OSS).magnitude == pytest.approx(1.3465735902799727)


def test_divisors_of_the_file_divide_frequencies() -> None:
    divisors = np.array([1.0, 2.0, 4.0, 8.0])
    table = rope_table(8, 10000.0, PLAIN, divisors)
    np.testing.assert_allclose(table.frequencies, [1.0, 0.05, 0.0025, 0.000125])


def test_a_scaling_nobody_knows_is_refused() -> None:
    metadata: dict[str, Any] = {"llama.rope.scaling.type": "longrope"}
    with pytest.raises(UnsupportedError, match="'longrope'; known are none, linear and yarn"):
        read_scaling(Keys(metadata, "llama"))


def test_yarn_stretches_from_the_trained_context_where_no_other_is_given() -> None:
    metadata: dict[str, Any] = {"llama.context_length": 2048, "llama.rope.scaling.type": "YARN"}
    scaling = read_scaling(Keys(metadata, "llama"))
    assert (scaling.kind, scaling.original_context) == ("yarn", 2048)
