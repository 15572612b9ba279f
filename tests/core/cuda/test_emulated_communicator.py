"""Emulated devices that exchange pieces at once do so as cards would: nobody early, nobody late."""

from collections.abc import Callable

import numpy as np
import pytest

from harness.core.cuda.api import Address
from harness.core.cuda.emulator.device import POISON, EmulatedDevice
from harness.core.errors import DeviceError

N_BYTES = 4


class Three:
    """Devices with a piece and a landing each; the piece of rank r is made of 10 + r once the device has worked."""

    def __init__(self) -> None:
        self.devices = [EmulatedDevice() for _ in range(3)]
        self.pieces = [Address(device.allocate(N_BYTES + 1, "piece"), 1) for device in self.devices]
        self.landings = [Address(device.allocate(3 * N_BYTES + 3, "landing"), 3) for device in self.devices]

    def exchange(self) -> None:
        communicator = self.devices[0].communicator(self.devices)
        assert communicator is not None
        communicator.all_gather(self.pieces, self.landings, N_BYTES)

    def fill(self, first: int) -> None:
        for rank, (device, piece) in enumerate(zip(self.devices, self.pieces, strict=True)):
            device.upload(piece, np.full(N_BYTES, first + rank, np.uint8))

    def landed(self, rank: int) -> list[int]:
        return self.devices[rank].download(self.landings[rank], 3 * N_BYTES).tolist()


def pieces(*numbers: int) -> list[int]:
    return np.repeat(numbers, N_BYTES).tolist()


@pytest.mark.parametrize("first", range(3))
def test_every_device_has_all_pieces_in_the_order_of_ranks_whichever_asks_first(first: int) -> None:
    three = Three()
    three.fill(10)
    three.exchange()
    assert [three.landed((first + i) % 3) for i in range(3)] == [pieces(10, 11, 12)] * 3


def test_what_is_enqueued_behind_an_exchange_may_overwrite_a_piece_and_what_landed() -> None:
    three = Three()
    for first in (10, 20):
        three.fill(first)
        three.exchange()
    three.fill(30)
    three.devices[1].synchronize()
    assert [three.landed(rank) for rank in (2, 0, 1)] == [pieces(20, 21, 22)] * 3


def test_nothing_is_exchanged_before_a_device_comes_to_its_part() -> None:
    three = Three()
    three.fill(10)
    three.exchange()
    view = three.devices[2].view(three.landings[2], 3 * N_BYTES)
    assert (view == POISON).all()
    three.devices[0].synchronize()
    assert view.tolist() == pieces(10, 11, 12)


def test_what_is_made_behind_an_exchange_is_not_in_it() -> None:
    """So an exchange that is enqueued before a maker shows."""
    three = Three()
    three.exchange()
    three.fill(10)
    three.devices[0].synchronize()
    assert three.landed(0) == [POISON] * 3 * N_BYTES


def swap(found: list[Address]) -> None:
    found[0], found[1] = found[1], found[0]


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda three: swap(three.pieces), "an emulated device was given memory of another one"),
        (lambda three: swap(three.landings), "an emulated device was given memory of another one"),
        (lambda three: three.landings.append(three.landings.pop()._replace(offset=4)), "12 bytes at 4 are outside"),
        (lambda three: three.pieces.append(three.pieces.pop()._replace(offset=2)), "4 bytes at 2 are outside"),
    ],
)
def test_memory_of_another_device_or_too_little_is_refused(mistake: Callable[[Three], None], message: str) -> None:
    three = Three()
    mistake(three)
    with pytest.raises(DeviceError, match=message):
        three.exchange()


def test_a_device_of_another_kind_is_refused() -> None:
    device = EmulatedDevice()
    with pytest.raises(DeviceError, match="a device of another kind was given to the emulator"):
        device.communicator([device, object()])  # type: ignore[list-item]
