"""What the emulator promises: operations as NumPy computes them, and a report for what no GPU would forgive."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from probing import Prober, probe_sources

from harness.core.cuda.api import Address, KernelName, Launch
from harness.core.cuda.emulator.device import POISON, EmulatedDevice, Schedule
from harness.core.errors import DeviceError, OutOfMemoryError

Probe = Callable[..., Prober]
LANES = np.arange(32)
GROUP, MEMBER = LANES // 4, LANES % 4


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return probe_sources(tmp_path_factory.mktemp("probes"))


@pytest.fixture
def probe(sources: Path) -> Probe:
    def make(schedule: Schedule = Schedule.FORWARD, *, checked: bool = True) -> Prober:
        return Prober(sources, checked=checked, schedule=schedule)

    return make


def fragments(matrix: NDArray[Any], registers: int, per: int, *, rows_alternate: bool) -> NDArray[Any]:
    """[32, registers] words of a factor [rows, k] held as the PTX ISA says: `per` elements of a row in each."""
    register = np.arange(registers)
    rows = GROUP[:, None] + (8 * (register % 2) if rows_alternate else 0 * register)
    first = 4 * per * (register // 2 if rows_alternate else register) + per * MEMBER[:, None]
    return np.ascontiguousarray(matrix[rows[..., None], first[..., None] + np.arange(per)]).view(np.uint32)[..., 0]


def accumulators(matrix: NDArray[Any]) -> NDArray[Any]:
    """[32, 4] of a result [16, 8]."""
    register = np.arange(4)
    return np.ascontiguousarray(matrix[GROUP[:, None] + 8 * (register // 2), 2 * MEMBER[:, None] + register % 2])


@pytest.mark.parametrize("schedule", list(Schedule))
def test_int8_fragments_multiply_as_numpy_does_in_one_step_and_in_smaller_ones(
    probe: Probe, schedule: Schedule
) -> None:
    random = np.random.default_rng(0)
    a, b = random.integers(-128, 128, (16, 32), np.int8), random.integers(-128, 128, (8, 32), np.int8)
    before = random.integers(-1000, 1000, (16, 8), np.int32)
    expected = accumulators(before + a.astype(np.int32) @ b.astype(np.int32).T)
    words = fragments(a, 4, 4, rows_alternate=True), fragments(b, 2, 4, rows_alternate=False)
    prober = probe(schedule)
    empty = np.zeros((32, 4), np.int32)
    _, _, *found = prober.run("multiply_s8", 32, *words, accumulators(before), empty, empty)
    assert all(np.array_equal(each, expected) for each in found)
    assert prober.device.reports() == ""


def test_f16_fragments_multiply_as_numpy_does_in_one_step_and_in_smaller_ones(probe: Probe) -> None:
    random = np.random.default_rng(1)
    a, b = random.normal(size=(16, 16)).astype(np.float16), random.normal(size=(8, 16)).astype(np.float16)
    before = random.normal(size=(16, 8)).astype(np.float32)
    expected = accumulators(before + a.astype(np.float64) @ b.astype(np.float64).T)
    words = fragments(a, 4, 2, rows_alternate=True), fragments(b, 2, 2, rows_alternate=False)
    _, _, whole, parts = probe().run("multiply_f16", 32, *words, accumulators(before), np.zeros((32, 4), np.float32))
    assert np.abs(whole - expected).max() < 1e-5
    assert np.abs(parts - expected).max() < 1e-5


def test_ldmatrix_hands_out_rows_and_columns_as_the_ptx_isa_says(probe: Probe) -> None:
    tile = np.random.default_rng(2).integers(0, 1 << 32, (32, 4), np.uint32)
    matrices = tile.view(np.uint16).reshape(4, 8, 8)
    _, four, two, turned = probe().run("load_matrices", 32, tile, *(np.zeros((32, n), np.uint32) for n in (4, 2, 2)))
    rows = np.stack([np.ascontiguousarray(matrix).view(np.uint32).ravel() for matrix in matrices], axis=1)
    columns = np.stack([np.ascontiguousarray(matrix.T).view(np.uint32).ravel() for matrix in matrices], axis=1)
    assert np.array_equal(four, rows)
    assert np.array_equal(two, rows[:, :2])
    assert np.array_equal(turned, columns[:, :2])


@pytest.mark.parametrize("schedule", list(Schedule))
def test_shuffles_votes_and_counting_barriers_do_what_the_programming_guide_says(
    probe: Probe, schedule: Schedule
) -> None:
    values = np.random.default_rng(3).integers(0, 100, 96, np.int32)
    _, out = probe(schedule).run("exchange", 96, values, np.zeros((6, 96), np.int32), np.int32(96))
    lanes, warps = np.arange(96) % 32, values.reshape(3, 32)
    of_warp = lambda lane: warps[np.arange(96) // 32, lane]  # noqa: E731
    assert np.array_equal(out[0], of_warp(lanes ^ 5))
    assert np.array_equal(out[1], of_warp(np.where(lanes >= 3, lanes - 3, lanes)))
    assert np.array_equal(out[2], of_warp(np.where(lanes + 7 < 32, lanes + 7, lanes)))
    assert np.array_equal(out[3], of_warp(np.arange(96) % 3))
    votes = (warps > 50) @ (np.uint64(1) << np.arange(32, dtype=np.uint64))
    assert np.array_equal(out[4].view(np.uint32), np.repeat(votes, 32).astype(np.uint32))
    assert (out[5] == (values > 50).sum()).all()


@pytest.mark.parametrize("schedule", list(Schedule))
def test_a_correct_kernel_gives_its_result_under_every_schedule_and_no_report(probe: Probe, schedule: Schedule) -> None:
    values = np.arange(256, dtype=np.int32)
    prober = probe(schedule)
    _, handed = prober.run("hand_over", 128, values[:128], np.zeros(128, np.int32))
    _, copied = prober.run("copy_in", 64, values, np.zeros(256, np.int32))
    assert np.array_equal(handed, np.roll(values[:128], -32))
    assert np.array_equal(copied, np.roll(values, -128))
    assert prober.device.reports() == ""


INT = np.zeros(128, np.int32)
RACES = {
    "race_within_a_block": (128, INT, INT),
    "race_within_a_warp": (32, INT, INT),
    "race_of_blocks": (32, INT),
    "overwrite_what_others_read": (128, INT, INT),
    "copy_without_a_barrier": (64, np.zeros(256, np.int32), np.zeros(256, np.int32)),
}


@pytest.mark.parametrize("schedule", list(Schedule))
@pytest.mark.parametrize("entry", sorted(RACES))
def test_a_race_is_reported_with_its_line_under_every_schedule(probe: Probe, entry: str, schedule: Schedule) -> None:
    threads, *args = RACES[entry]
    prober = probe(schedule)
    prober.run(entry, threads, *args, grid=(2, 1, 1) if entry == "race_of_blocks" else (1, 1, 1))
    reports = prober.device.reports()
    assert "race: " in reports
    assert "probes.cu:" in reports or "async.cpp:" in reports


FAILURES: dict[str, tuple[str, int, tuple[Any, ...]]] = {
    "read_behind_the_end": ("out of bounds", 1, (INT, INT, np.int32(128))),
    "write_behind_the_end": ("out of bounds", 1, (INT, np.int32(-1))),
    "write_behind_shared": ("out of bounds", 32, (INT, np.int32(1))),
    "barrier_against_shuffle": ("wait for ever", 32, (INT,)),
    "two_barriers": ("other threads of the block wait at", 64, (INT,)),
    "shuffle_without_half": ("lanes that have ended|wait for ever", 32, (INT,)),
    "different_shuffles": ("waits at", 32, (INT,)),
    "mask_without_the_caller": ("a mask 0000ffff that leaves it out", 32, (INT,)),
    "copy_misaligned": ("not 16-byte aligned", 1, (INT,)),
    "matrix_misaligned": ("not 16-byte aligned", 32, (INT, INT)),
}


@pytest.mark.parametrize("entry", sorted(FAILURES))
def test_what_a_gpu_would_not_survive_ends_the_launch_with_block_and_thread(probe: Probe, entry: str) -> None:
    message, threads, args = FAILURES[entry]
    for schedule in Schedule:
        with pytest.raises(DeviceError, match=rf"kernel {entry} failed: block \(0,0,0\).*({message})"):
            probe(schedule).run(entry, threads, *args)


def test_a_misaligned_access_is_reported(probe: Probe) -> None:
    prober = probe()
    prober.run("read_misaligned", 1, np.zeros(16, np.uint8), INT)
    assert "misaligned access at probes.cu:" in prober.device.reports()


@pytest.mark.parametrize("entry", ["read_before_the_wait", "wait_for_the_wrong_group"])
def test_a_missing_wait_shows_where_copies_land_late(probe: Probe, entry: str) -> None:
    values = np.ones(128, np.int32)
    _, late = probe(Schedule.FORWARD).run(entry, 32, values, np.zeros(128, np.int32))
    assert (late.view(np.uint8) == POISON).all()
    _, early = probe(Schedule.REVERSE).run(entry, 32, values, np.zeros(128, np.int32))
    assert np.array_equal(early, values)


def test_a_copy_never_waited_for_is_reported(probe: Probe) -> None:
    with pytest.raises(DeviceError, match="copies it never waited for"):
        probe().run("copy_never_waited_for", 32, INT)


def test_memory_that_nobody_wrote_holds_no_zeros(probe: Probe) -> None:
    (shared,) = probe().run("shared_never_written", 32, np.zeros(32, np.float32))
    (register,) = probe().run("register_never_written", 1, np.zeros(1, np.float32), np.int32(2))
    fresh = EmulatedDevice().allocate(64, "test")
    assert np.isnan(shared).all()
    assert abs(register[0]) > 1e30
    assert (fresh.bytes(0, 64) == POISON).all()


def test_the_unchecked_build_notices_writes_beside_a_buffer_by_its_guards(probe: Probe) -> None:
    for index in (-1, 128):
        with pytest.raises(DeviceError, match="wrote beside a buffer"):
            probe(checked=False).run("write_behind_the_end", 1, INT, np.int32(index))


@pytest.mark.parametrize(
    ("grid", "threads"), [((0, 1, 1), 32), ((1, 65536, 1), 32), ((1, 1, 65536), 32), ((1, 1, 1), 0), ((1, 1, 1), 1025)]
)
def test_a_grid_that_no_device_takes_is_refused(probe: Probe, grid: tuple[int, int, int], threads: int) -> None:
    with pytest.raises(DeviceError, match="no CUDA device takes this grid"):
        probe(checked=False).run("race_of_blocks", threads, np.zeros(2048, np.int32), grid=grid)


def test_nothing_runs_before_somebody_waits(sources: Path) -> None:
    device = EmulatedDevice(sources=sources)
    values, shift = Address(device.allocate(128, "values")), Address(device.allocate(4, "shift"))
    mutable = np.ones(32, np.float32)
    device.upload(values, mutable)
    mutable[:] = 7.0
    device.upload(shift, np.array([1], np.int32))
    device.launch(Launch(KernelName("probes", "scale"), (1, 1, 1), 32, (values, np.float32(2.0), shift)))
    assert (values.buffer.bytes(0, 128) == POISON).all()  # type: ignore[attr-defined]
    device.synchronize()
    assert (device.download(values, 128).view(np.float32) == 3.0).all()


def test_a_graph_keeps_its_arguments_and_reads_memory_as_it_is(sources: Path) -> None:
    device = EmulatedDevice(sources=sources)
    values, shift = Address(device.allocate(128, "values")), Address(device.allocate(4, "shift"))
    launches = [Launch(KernelName("probes", "scale"), (1, 1, 1), 32, (values, np.float32(2.0), shift))]
    graph = device.capture(launches)
    launches.clear()
    for number in (1, 5):
        device.upload(values, np.ones(32, np.float32))
        device.upload(shift, np.array([number], np.int32))
        graph.launch()
        assert (device.download(values, 128).view(np.float32) == 2.0 + number).all()


def test_memory_is_bounded_and_comes_back() -> None:
    device = EmulatedDevice(memory_bytes=1000)
    held = device.allocate(600, "the first")
    with pytest.raises(OutOfMemoryError, match="the second needs 600 bytes of device memory and 400 are free"):
        device.allocate(600, "the second")
    del held
    assert device.memory_info() == (1000, 1000)
    device.allocate(600, "the second")


def test_copies_stay_inside_buffers() -> None:
    device = EmulatedDevice()
    buffer = device.allocate(64, "test")
    with pytest.raises(DeviceError, match="outside a device buffer of 64"):
        device.upload(Address(buffer, 60), np.zeros(8, np.uint8))
    with pytest.raises(DeviceError, match="outside a device buffer of 64"):
        device.download(Address(buffer, 0), 65)


def test_what_waits_for_a_marker_runs_behind_what_came_before_it_and_no_more() -> None:
    first, second = EmulatedDevice(), EmulatedDevice()
    there, here = Address(first.allocate(4, "there")), Address(second.allocate(4, "here"))
    marker = first.marker()
    first.upload(there, np.array([1], np.int32))
    marker.record()
    second.wait(marker)
    second.copy(here, there, 4)
    first.upload(there, np.array([2], np.int32))
    marker.record()  # the wait above is for the point as it was then
    assert second.download(here, 4).view(np.int32) == 1
    second.wait(marker)
    second.copy(here, there, 4)
    assert second.download(here, 4).view(np.int32) == 2


def test_without_a_wait_another_device_has_done_nothing_and_an_unrecorded_marker_has_passed() -> None:
    first, second = EmulatedDevice(), EmulatedDevice()
    there, here = Address(first.allocate(4, "there")), Address(second.allocate(4, "here"))
    first.upload(there, np.array([1], np.int32))
    second.wait(first.marker())
    second.copy(here, there, 4)
    assert second.download(here, 4).view(np.int32) == -1  # poison


@pytest.mark.parametrize("call", ["reach", "wait"])
def test_devices_of_another_kind_are_refused(call: str) -> None:
    with pytest.raises(DeviceError, match="of another kind"):
        getattr(EmulatedDevice(), call)(object())


def test_a_kernel_is_not_given_memory_of_another_device(sources: Path) -> None:
    """A card that cannot reach the other one would fail; copies take any way there is."""
    device, other = EmulatedDevice(sources=sources), EmulatedDevice(sources=sources)
    args = (Address(device.allocate(128, "values")), np.float32(2.0), Address(other.allocate(4, "shift")))
    with pytest.raises(DeviceError, match="scale was given memory of another device"):
        device.launch(Launch(KernelName("probes", "scale"), (1, 1, 1), 32, args))
