"""Limits of a card: what the probe multiplies, on the emulator; what is made of times, on a card of CuPy's fake."""

import sys

import numpy as np
import pytest
from fake_cupy import FakeCupy
from sass import disassemble

from harness.core.cuda import limits
from harness.core.cuda.api import Address, KernelName
from harness.core.cuda.device import CudaDevice
from harness.core.cuda.emulator.device import EmulatedDevice
from harness.core.cuda.nvrtc import compile_kernel
from harness.core.limits import DeviceLimits, device_limits


def test_the_probe_multiplies_as_often_as_it_is_counted() -> None:
    device, n_blocks, n_rounds = EmulatedDevice(), 2, 3
    launch = limits.products(device, n_blocks, n_rounds)
    device.launch(launch)
    sums = launch.args[-1]
    assert isinstance(sums, Address)
    found = device.download(sums, 4 * n_blocks * limits.THREADS).view(np.int32)
    warps = n_blocks * limits.THREADS // 32
    assert int(found.sum()) == warps * n_rounds * limits.MACS_PER_ROUND, "ones times ones add up to their number"
    assert len(set(found.tolist())) == 1


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> FakeCupy:
    fake = FakeCupy()
    fake.free_bytes = 64 << 20
    monkeypatch.setitem(sys.modules, "cupy", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(limits, "COPIED_BYTES", 1 << 20)
    return fake


def test_bytes_and_products_are_held_against_the_time_the_card_took(cupy: FakeCupy) -> None:
    card = CudaDevice(0)
    taken_s = 0.25e-3  # by every pair of the fake's events
    assert limits.copy_bytes_per_s(card) == pytest.approx(2 * (1 << 20) / taken_s)
    blocks = limits.BLOCKS_PER_MULTIPROCESSOR * 82
    macs = blocks * 8 * limits.ROUNDS * limits.MACS_PER_ROUND
    assert limits.int8_macs_per_s(card) == pytest.approx(macs / taken_s)
    kernels = [entry for entry in cupy.log if entry[0] == "kernel"]
    assert {(name, grid) for _, name, grid, *_ in kernels} == {("multiply_registers", (blocks, 1, 1))}


def test_a_cards_limits_are_asked_for_by_its_name(cupy: FakeCupy) -> None:
    del cupy
    assert isinstance(device_limits("cuda:0"), DeviceLimits)


@pytest.mark.parametrize("device", ["cpu:0", "reference", "cuda-emulated:0"])
def test_what_is_no_card_has_none_of_its_own(device: str) -> None:
    assert device_limits(device) is None


@pytest.mark.parametrize("architecture", [75, 80, 86, 89, 90, 120])
def test_the_probe_does_nothing_but_multiply(architecture: int) -> None:
    """Eight products of 16 x 8 x 32, in four steps each on sm_75; a product takes several cycles, all else one."""
    code = disassemble(compile_kernel(KernelName("rates", ""), architecture).path)["multiply_registers"]
    start, end = max(code.loops(), key=lambda span: code.count("IMMA", *span))
    n_products, n_all = code.count("IMMA", start, end), code.count("", start, end)
    assert n_products % (32 if architecture == 75 else 8) == 0
    assert n_products > 0
    assert n_products >= 0.75 * n_all
