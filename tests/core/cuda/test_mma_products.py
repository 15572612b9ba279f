"""Products by int8 mma give the bits of the row-by-row kernels, for every format, ragged in every dimension."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.core.cuda.api import Address, KernelName, Launch
from harness.core.cuda.emulator.device import EmulatedDevice, Schedule
from harness.core.cuda.launches import NO_PART, Part
from harness.core.cuda.layout import held_rows
from harness.core.cuda.shapes import FEW, MMA_SHAPES, ONE, THREADS
from harness.core.cuda.sources import formats
from harness.core.cuda.weights import DeviceTensor
from harness.core.formats.random import random_rows
from harness.core.formats.table import BY_NAME, Format

QUANTISED = sorted(name for name in formats() if BY_NAME[name].group)
N_ROWS, N_TOKENS = 150, 70
"""A second tile of each, mostly empty."""


def products(device: EmulatedDevice, name: str, n_columns: int) -> list[Any]:
    """[T, rows] by the row kernel and by mma in every shape, of random weights and activations."""
    fmt, random = BY_NAME[name], np.random.default_rng(4)
    rows = random_rows(fmt, N_ROWS, n_columns, random)
    codes = random.integers(-127, 128, (N_TOKENS, n_columns), np.int8)
    scales = random.uniform(0.001, 0.1, (N_TOKENS, n_columns // 32)).astype(np.float32)
    bias, residual = (random.normal(size=shape).astype(np.float32) for shape in (N_ROWS, (N_TOKENS, N_ROWS)))
    weights = matrix(device, fmt, rows, n_columns)
    codes_at, scales_at, bias_at, residual_at = (place(device, data) for data in (codes, scales, bias, residual))
    found = []
    for shape in (ONE, *MMA_SHAPES):
        y = Address(device.allocate(N_TOKENS * N_ROWS * 4, "y"))
        part = Part(weights, 0, N_ROWS, bias_at, y)
        values = () if shape.is_mma else (None,)
        inputs = (weights.stride, np.int32(n_columns), *values, codes_at, scales_at, residual_at, np.int32(N_TOKENS))
        args = (*part.arguments, *NO_PART, *NO_PART, *inputs)
        kernel = KernelName(shape.source("product"), f"product{shape.suffix}", name)
        grid = shape.grid([N_ROWS], -(-N_TOKENS // shape.tokens))
        device.launch(Launch(kernel, grid, THREADS, args))
        found.append(device.download(y, N_TOKENS * N_ROWS * 4).view(np.float32))
    return found


def matrix(device: EmulatedDevice, fmt: Format, rows: Any, n_columns: int) -> DeviceTensor:
    """The rows on the device, laid out as its kernels want them."""
    tensor = DeviceTensor(
        device.allocate(held_rows(fmt.name, len(rows)) * rows.shape[1], "weights"),
        fmt.name,
        len(rows),
        n_columns,
        rows.shape[1],
    )
    for launch in tensor.relay(place(device, rows), 0, len(rows)):
        device.launch(launch)
    return tensor


def place(device: EmulatedDevice, data: Any) -> Address:
    address = Address(device.allocate(data.nbytes, "data"))
    device.upload(address, data)
    return address


@pytest.mark.parametrize("name", QUANTISED)
def test_mma_gives_the_bits_of_the_row_kernel_in_every_format(name: str) -> None:
    by_rows, *by_mma = products(EmulatedDevice(), name, 256 if BY_NAME[name].block == 256 else 288)
    assert np.isfinite(by_rows).all()
    assert all(np.array_equal(by_rows, found) for found in by_mma)


@pytest.mark.parametrize("schedule", list(Schedule))
@pytest.mark.parametrize("name", ["MXFP4", "Q2_K", "Q4_K", "IQ4_KS"])
def test_mma_is_free_of_races_and_right_under_every_schedule(
    name: str, schedule: Schedule, device: Callable[..., EmulatedDevice]
) -> None:
    by_rows, *by_mma = products(device(schedule, seed=9), name, 256 if BY_NAME[name].block == 256 else 96)
    assert all(np.array_equal(by_rows, found) for found in by_mma)


@pytest.mark.parametrize("preset", ["tiny-gpt-oss", "tiny-qwen3moe"])
def test_a_large_ubatch_gives_the_bits_of_small_ones(
    preset: str, made: Callable[..., Any], session: Callable[..., Any]
) -> None:
    tokens = np.random.default_rng(2).integers(0, 331, 100)
    few, some, many = (
        session(made(preset), "cuda-emulated:0", ubatch=ubatch, n_ctx=128).logits(tokens) for ubatch in (FEW, 30, 100)
    )
    assert np.array_equal(few, some)
    assert np.array_equal(few, many)
