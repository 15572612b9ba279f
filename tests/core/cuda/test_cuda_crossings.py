"""Crossings between devices by kernels: the bits of compose/crossings.py, at ragged sizes, under every schedule."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.compose.crossings import cross as expected_of
from harness.core.cuda.api import Address
from harness.core.cuda.crossings import (
    WIRES,
    CrossingWork,
    Source,
    cross,
    cross_landed,
    landing_of_all,
    narrow,
    piece_bytes,
)
from harness.core.cuda.emulator.device import EmulatedDevice, Schedule
from harness.core.cuda.launches import Extent, Launches
from harness.core.cuda.proof import UNTOUCHED
from harness.core.cuda.rooms import Rooms
from harness.core.cuda.sources import KERNELS
from harness.core.program.op import Op, Program, partial_sums

F32 = NDArray[np.float32]
BEHIND = 64
SPECIAL = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 65519.0, 65520.0, 1e6, 6e-8, 3e-8, 1e-40, 1 + 2**-9], np.float32
)


def crossed(device: EmulatedDevice, op: Op, values: Sequence[F32], own: int | None) -> F32:
    """The crossing on `device`, where input `own` and a residual lie; the others are on a device of their own.

    Raises AssertionError where a byte behind the result was written.
    """
    n_tokens, other = len(values[0]), EmulatedDevice()
    launches, sources = launches_on(device, n_tokens), []
    for index, value in enumerate(values):
        is_residual = bool(op.params.get("residual")) and index == len(values) - 1
        is_here = index == own or is_residual
        wire = 0 if is_residual else WIRES[str(op.params.get("wire", "f32"))]
        at = left(device if is_here else other, value, wire)
        sources.append(Source(at, value.shape[1], is_here))
    columns = sum(value.shape[1] for value in values) if op.name == "gather" else values[0].shape[1]
    other.synchronize()
    return written(device, n_tokens, columns, lambda to: cross(launches, op, sources, to, "arrivals"))


def landed(device: EmulatedDevice, op: Op, values: Sequence[F32]) -> F32:
    """The sum on `device` of partial sums that have all landed there, one behind the other, and of a residual.

    Raises AssertionError where a byte behind the result was written.
    """
    n_tokens, columns = values[0].shape
    launches, wire = launches_on(device, n_tokens), WIRES[str(op.params["wire"])]
    at, n_bytes = landing_of_all(launches.rooms, op, n_tokens, columns), piece_bytes(op, n_tokens, columns)
    for rank in range(len(partial_sums(op))):
        source = left(device, values[rank], wire)
        device.copy(at._replace(offset=rank * n_bytes), source, n_bytes)
    residual = [left(device, values[-1], 0)] if op.params["residual"] else []
    nowhere = Address(EmulatedDevice().allocate(4, "another device's"))
    sources = [Source(each, columns, is_here=False) for each in [nowhere] * len(partial_sums(op)) + residual]
    return written(device, n_tokens, columns, lambda to: cross_landed(launches, op, sources, to))


def launches_on(device: EmulatedDevice, n_tokens: int) -> Launches:
    rooms = Rooms(device, Program((), (), (), (), 0, 0), n_tokens)
    return Launches({}, rooms, cast("Any", None), Extent(n_tokens, 1, n_tokens), 86)


def written(device: EmulatedDevice, n_tokens: int, columns: int, work: Callable[[Address], CrossingWork]) -> F32:
    """What a crossing leaves, and nothing behind it."""
    n_bytes = 4 * n_tokens * columns
    to = Address(device.allocate(n_bytes + BEHIND, "out"))
    device.upload(to, np.full(n_bytes + BEHIND, UNTOUCHED, np.uint8))
    work(to).enqueue(device)
    found = device.download(to, n_bytes + BEHIND)
    assert (found[n_bytes:] == UNTOUCHED).all(), "bytes behind the result were written"
    return found[:n_bytes].view(np.float32).reshape(n_tokens, columns)


def left(device: EmulatedDevice, value: F32, wire: int) -> Address:
    """A value as its maker leaves it."""
    at = Address(device.allocate(value.nbytes, "value"))
    device.upload(at, value)
    if not wire:
        return at
    n_bytes = value.nbytes // 2
    to = Address(device.allocate(n_bytes + BEHIND, "narrow value"))
    device.upload(to, np.full(n_bytes + BEHIND, UNTOUCHED, np.uint8))
    launches = Launches({}, cast("Any", None), cast("Any", None), Extent(len(value), 1, 0), 86)
    narrow(launches, at, to, wire, value.size)
    device.launch(launches.collected[0])
    behind = device.download(to._replace(offset=n_bytes), BEHIND)
    assert (behind == UNTOUCHED).all(), "bytes behind the narrow value were written"
    return to


def drawn(n_tokens: int, columns: Sequence[int], seed: int = 0) -> list[F32]:
    """Numbers of many sizes, and special ones."""
    random = np.random.default_rng(seed)
    values = []
    for n in columns:
        value = (random.standard_normal((n_tokens, n)) * 10.0 ** random.integers(-6, 6, (n_tokens, n))).astype(
            np.float32
        )
        spots = random.choice(value.size, min(len(SPECIAL), value.size // 2), replace=False)
        value.flat[spots] = SPECIAL[: len(spots)]
        values.append(value)
    return values


def op(name: str, **params: Any) -> Op:
    return Op(name, "cuda:0", (), ("out",), params=params)


def reduced(n_values: int, wire: str, residual: bool) -> Op:
    return Op("reduce", "cuda:0", tuple("abcdef"[:n_values]), ("out",), params={"wire": wire, "residual": residual})


@pytest.mark.parametrize("schedule", list(Schedule))
@pytest.mark.parametrize("wire", ["f32", "f16", "bf16"])
@pytest.mark.parametrize(("n_partials", "own"), [(1, 0), (2, 0), (2, 1), (3, 1), (3, None), (5, 4)])
def test_reduce_has_the_bits_of_the_host(
    n_partials: int, own: int | None, wire: str, schedule: Schedule, device: Callable[..., EmulatedDevice]
) -> None:
    for n_tokens, columns, residual in ((1, 33, True), (7, 37, False), (3, 256, True)):
        n_values = n_partials + residual
        values, which = drawn(n_tokens, [columns] * n_values, seed=n_values), reduced(n_values, wire, residual)
        with np.errstate(invalid="ignore", over="ignore"):
            expected = expected_of(which, values)
            np.testing.assert_array_equal(crossed(device(schedule, seed=3), which, values, own), expected)


@pytest.mark.parametrize("schedule", list(Schedule))
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("wire", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("n_partials", [2, 3, 5])
def test_a_sum_of_what_landed_at_once_has_the_bits_of_the_host(
    n_partials: int, wire: str, residual: bool, schedule: Schedule, device: Callable[..., EmulatedDevice]
) -> None:
    for n_tokens, columns in ((1, 33), (7, 37), (3, 256)):
        n_values = n_partials + residual
        values, which = drawn(n_tokens, [columns] * n_values, seed=n_values), reduced(n_values, wire, residual)
        with np.errstate(invalid="ignore", over="ignore"):
            expected = expected_of(which, values)
            np.testing.assert_array_equal(landed(device(schedule, seed=3), which, values), expected)


def test_a_sum_of_what_landed_in_another_order_is_another_one(device: Callable[..., EmulatedDevice]) -> None:
    values, which = [np.full((1, 40), number, np.float32) for number in (1e8, -1e8, 1)], reduced(3, "f32", False)
    assert (landed(device(), which, values) == 1).all()
    assert (landed(device(), which, values[::-1]) == 0).all()


@pytest.mark.parametrize("n_slots", [1, 3])
@pytest.mark.parametrize("widths", [(5,), (129, 1), (32, 7, 200)], ids=str)
@pytest.mark.parametrize("n_tokens", [1, 6])
def test_gather_has_the_bits_of_the_host(
    n_tokens: int, widths: tuple[int, ...], n_slots: int, device: Callable[..., EmulatedDevice]
) -> None:
    values, which = drawn(n_tokens, [n * n_slots for n in widths]), op("gather", n_slots=n_slots)
    for own in (None, len(widths) - 1):
        found = crossed(device(), which, values, own)
        assert found.tobytes() == expected_of(which, values).tobytes()


def test_copy_is_of_the_same_bytes(device: Callable[..., EmulatedDevice]) -> None:
    values = drawn(5, [37])
    assert crossed(device(), op("copy"), values, None).tobytes() == values[0].tobytes()


BUGS = [
    (
        "the last partial sum first",
        "total = i == 0 ? partial : __fadd_rn(total, partial)",
        "total = i == 0 ? partial : i == 1 ? total - partial : total + partial",
    ),
    ("the sums' guard removed", "if (at >= n) return;", ""),
    ("the narrowing's guard removed", "if (at < n) y[at]", "if (at <= n) y[at]"),
    ("another's sum for this device's", "i == own ?", "i == own + 1 ?"),
    ("f16 taken for bf16", "return wire == 1 ? half_to_float", "return wire == 2 ? half_to_float"),
    ("bf16 cut off", "bits + 0x7fffu + (bits >> 16 & 1u)", "bits"),
    ("columns shifted", "first + column]", "first + (column ^ 1)]"),
    ("the columns' guard removed", "if (column >= n_columns) return;", ""),
]


@pytest.mark.parametrize(("right", "wrong"), [bug[1:] for bug in BUGS], ids=[bug[0] for bug in BUGS])
def test_a_bug_in_a_crossing_is_caught(right: str, wrong: str, tmp_path: Path) -> None:
    sources = tmp_path / "kernels"
    shutil.copytree(KERNELS, sources)
    text = (sources / "crossings.cu").read_text()
    assert text.count(right) == 1
    (sources / "crossings.cu").write_text(text.replace(right, wrong))
    assert not all(
        is_right(sources, which)
        for which in (reduced(4, "f16", True), reduced(3, "bf16", False), op("gather", n_slots=2))
    )


def is_right(sources: Path, which: Op) -> bool:
    """Whether a device with these kernels gives the host's bits, and leaves alone what lies beside them."""
    values = drawn(3, [74] * (len(which.inputs) or 3))
    try:
        with np.errstate(all="ignore"):
            found = crossed(EmulatedDevice(sources=sources), which, values, 1)
            return np.array_equal(found, expected_of(which, values), equal_nan=True)
    except Exception:  # noqa: BLE001  a guard that was written over, or bytes behind the result
        return False
