"""The list of tiles that the device makes of what each expert got, and the shapes that tiles come in."""

from collections.abc import Callable

import numpy as np
import pytest

from harness.core.cuda.api import Address, KernelName, Launch
from harness.core.cuda.emulator.device import EmulatedDevice, Schedule
from harness.core.cuda.launches import TILE_BYTES
from harness.core.cuda.nvrtc import ARCHITECTURES
from harness.core.cuda.shapes import (
    EIGHT,
    FEW,
    MMA_16,
    MMA_32,
    MMA_64,
    MMA_SHAPES,
    ONE,
    SMALLEST_TILE,
    TABLE,
    shape_for,
    shape_for_experts,
)

N_TILES = 90


@pytest.mark.parametrize("schedule", list(Schedule))
@pytest.mark.parametrize("tile_slots", [8, 16, 64])
def test_every_slot_is_in_one_tile_of_its_expert_and_what_is_left_of_the_list_is_empty(
    tile_slots: int, schedule: Schedule, device: Callable[..., EmulatedDevice]
) -> None:
    """Seventy experts are more than two rounds of a warp; some get nothing, some several tiles."""
    counts = np.random.default_rng(tile_slots).choice([0, 0, 1, 7, 8, 16, 17], 70)
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    emulated = device(schedule, seed=4)
    given, tiles = (
        Address(emulated.allocate(bounds.nbytes, "bounds")),
        Address(emulated.allocate(N_TILES * 16, "tiles")),
    )
    emulated.upload(given, bounds)
    args = (given, np.int32(70), np.int32(tile_slots), np.int32(N_TILES), tiles)
    emulated.launch(Launch(KernelName("tiles", "list_tiles"), (1, 1, 1), 32, args))
    found = emulated.download(tiles, N_TILES * TILE_BYTES).view(np.int32).reshape(N_TILES, 4)
    expected = [
        (expert, bounds[expert] + first, min(tile_slots, count - first), 0)
        for expert, count in enumerate(counts)
        for first in range(0, count, tile_slots)
    ]
    assert found.tolist() == [list(tile) for tile in expected] + [[0, 0, 0, 0]] * (N_TILES - len(expected))


def test_the_bound_of_the_list_holds_for_the_worst_distribution_of_slots() -> None:
    """Every expert's last tile holds one slot."""
    for n_expert, tile in ((8, 16), (128, 64), (5, 8)):
        for n_full in (0, 1, 3):
            n_slots = n_expert * (n_full * tile + 1)
            assert n_expert * (n_full + 1) <= min(n_slots, n_slots // tile + n_expert)


def test_shapes_grow_with_the_tokens_a_matrix_meets() -> None:
    found = [shape_for(n, "MXFP4", 86) for n in (1, FEW, FEW + 1, 16, 17, 32, 33, 2048)]
    assert found == [ONE, ONE, MMA_16, MMA_16, MMA_32, MMA_32, MMA_64, MMA_64]
    assert [shape_for(n, "F16", 86) for n in (1, 2, 2048)] == [ONE, EIGHT, EIGHT]
    found = [shape_for_experts(n, n * 8, 128, "MXFP4", 86) for n in (1, FEW, 5, 64, 272, 512, 1024)]
    assert found == [ONE, ONE, MMA_16, MMA_16, MMA_32, MMA_32, MMA_64]
    assert shape_for_experts(5, 20, 32, "F32", 86) == EIGHT
    assert min(shape.tokens for shape in (EIGHT, *MMA_SHAPES)) == SMALLEST_TILE


def test_two_scales_a_block_get_smaller_tiles_where_registers_are_short_and_on_cards_nobody_knows() -> None:
    largest = {architecture: shape_for(2048, "Q6_K", architecture).tokens for architecture in (*TABLE, 87, 999)}
    assert largest == {75: 64, 80: 32, 86: 32, 89: 32, 90: 32, 120: 64, 87: 32, 999: 32}
    assert {shape_for(2048, "Q4_K", architecture) for architecture in (*TABLE, 999)} == {MMA_64}


def test_the_table_has_every_architecture_that_is_compiled_for() -> None:
    assert tuple(TABLE) == ARCHITECTURES
