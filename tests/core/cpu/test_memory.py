"""Memory of weights: side by side on shared pages while they live, and the system's again afterwards."""

from typing import Any

import numpy as np
import psutil

from harness.core.cpu.native_module import native

ROWS = 1024
ROW_BYTES = 1024
MEGABYTE = ROWS * ROW_BYTES


def filled(byte: int) -> Any:
    """A weight of a megabyte, all of whose bytes are `byte`."""
    weight = native().Matrix("F32", (1, ROWS, ROW_BYTES // 4), ROW_BYTES, 1)
    weight.allocate()
    weight.place(0, np.full(MEGABYTE, byte, np.uint8))
    return weight


def resident() -> int:
    return psutil.Process().memory_info().rss


def test_weights_that_share_pages_return_their_memory_though_a_neighbour_lives() -> None:
    filled(1)
    before = resident()
    weights = [filled(n) for n in range(200)]
    assert resident() - before > 199 * MEGABYTE
    survivor = weights.pop(100)
    weights.clear()
    assert resident() - before < 20 * MEGABYTE  # whatever the survivor shares its pages with is gone
    assert survivor.n_bytes == MEGABYTE
