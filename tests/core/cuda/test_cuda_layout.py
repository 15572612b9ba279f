"""Weights on the device: every byte of a row is where layout.py says, however the rows arrive."""

from collections.abc import Callable

import numpy as np
import pytest

from harness.core.cuda.api import Address
from harness.core.cuda.backend import CudaBackend
from harness.core.cuda.emulator.device import EmulatedDevice
from harness.core.cuda.layout import FIELDS, TILE_ROWS, held_rows, planes
from harness.core.cuda.sources import formats
from harness.core.formats.table import BY_NAME
from harness.core.plan.layout import held_bytes
from harness.core.plan.types import StoredTensor

N_ROWS, N_COLUMNS = 70, 512


def stored(name: str) -> StoredTensor:
    return StoredTensor("w", "cuda:0", name, (N_ROWS, N_COLUMNS), BY_NAME[name].row_bytes(N_COLUMNS), "rows", ())


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_the_fields_of_a_block_are_all_its_bytes(name: str) -> None:
    assert sum(field.n_bytes for field in FIELDS[name]) == BY_NAME[name].block_bytes
    assert all(field.n_bytes % field.chunk_bytes == 0 for field in FIELDS[name])
    assert max(field.chunk_bytes for field in FIELDS[name]) <= 16


def test_every_format_with_codes_has_fields_and_planes_are_aligned_for_the_widest_load() -> None:
    assert FIELDS.keys() == {name for name in formats() if BY_NAME[name].group}
    for name in FIELDS:
        assert all(plane.tile_offset % 16 == 0 for plane in planes(BY_NAME[name], N_COLUMNS))
        assert TILE_ROWS * BY_NAME[name].row_bytes(N_COLUMNS) % 16 == 0


@pytest.mark.parametrize("name", ["MXFP4", "Q4_K", "IQ2_XXS", "IQ2_KS", "IQ4_KS", "F16"])
def test_every_byte_is_in_its_place_however_the_rows_arrive(name: str, device: Callable[..., EmulatedDevice]) -> None:
    tensor, emulated = stored(name), device()
    rows = np.random.default_rng(1).integers(0, 256, (N_ROWS, tensor.row_bytes), np.uint8)
    backend = CudaBackend(emulated)
    backend.allocate(tensor)
    for first, end in ((40, 70), (0, 1), (1, 40)):
        backend.place(tensor, first, rows[first:end])
    held = backend._weights["w", "cuda:0"]
    n_bytes = held_rows(name, N_ROWS) * tensor.row_bytes
    assert held.buffer.n_bytes == held_bytes(tensor) == n_bytes
    memory = emulated.download(Address(held.buffer), n_bytes)
    found = (
        memory.reshape(N_ROWS, -1)
        if name not in FIELDS
        else read_back(name, memory.reshape(-1, TILE_ROWS, tensor.row_bytes))
    )
    assert np.array_equal(found[:N_ROWS], rows)


def read_back(name: str, tiles: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Rows in the file's order, from the rule alone."""
    n_tiles, _, row_bytes = tiles.shape
    rows = np.zeros((n_tiles, TILE_ROWS, row_bytes), np.uint8)
    for plane in planes(BY_NAME[name], N_COLUMNS):
        size, n_bytes = plane.field.chunk_bytes, plane.field.n_bytes
        span = plane.n_blocks * n_bytes
        flat = tiles.reshape(n_tiles, -1)[:, plane.tile_offset : plane.tile_offset + TILE_ROWS * span]
        of_row = flat.reshape(n_tiles, span // size, TILE_ROWS, size).swapaxes(1, 2).reshape(n_tiles, TILE_ROWS, span)
        for block in range(plane.n_blocks):
            at = plane.first + block * plane.block_bytes
            rows[:, :, at : at + n_bytes] = of_row[:, :, block * n_bytes : (block + 1) * n_bytes]
    return rows.reshape(-1, row_bytes)
