"""Cards that exchange pieces by NCCL: on a stub of CuPy's binding, and CuPy's binding itself on a stub of NCCL."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fake_cupy import FakeCupy

from harness.core.cuda.api import Address
from harness.core.cuda.device import CudaDevice
from harness.core.cuda.nccl import NcclCommunicator
from harness.core.errors import DeviceError

STUB = Path(__file__).with_name("nccl_stub.c")
N_BYTES = 6


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> FakeCupy:
    fake = FakeCupy()
    fake.n_devices = 3
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setitem(sys.modules, "cupy.cuda.nccl", fake.nccl)
    return fake


def cards(*indices: int) -> list[CudaDevice]:
    return [CudaDevice(index) for index in indices]


def joined(devices: list[CudaDevice]) -> NcclCommunicator:
    found = devices[0].communicator(devices)
    assert isinstance(found, NcclCommunicator)
    return found


def piece(device: CudaDevice, number: int) -> Address:
    """Six bytes of one number, two bytes into a buffer."""
    at = Address(device.allocate(8, "piece"), 2)
    device.upload(at, np.full(N_BYTES, number, np.uint8))
    return at


def exchanged(devices: list[CudaDevice], cupy: FakeCupy) -> list[list[int]]:
    """What lies at every card's landing then. The log is that of the exchange."""
    pieces = [piece(device, 10 + rank) for rank, device in enumerate(devices)]
    to = [Address(device.allocate(4 + N_BYTES * len(devices), "landing"), 4) for device in devices]
    communicator = joined(devices)
    cupy.log.clear()
    communicator.all_gather(pieces, to, N_BYTES)
    log = list(cupy.log)
    found = [device.download(at, N_BYTES * len(devices)).tolist() for device, at in zip(devices, to, strict=True)]
    cupy.log[:] = log
    return found


def test_there_is_one_communicator_a_card_in_the_order_of_ranks(cupy: FakeCupy) -> None:
    joined(cards(2, 0, 1))
    assert [entry for entry in cupy.log if entry[0] == "join"] == [("join", [2, 0, 1])]


def test_every_card_gets_all_pieces_in_the_order_of_ranks(cupy: FakeCupy) -> None:
    found = exchanged(cards(2, 0, 1), cupy)
    assert found == [[10] * N_BYTES + [11] * N_BYTES + [12] * N_BYTES] * 3


def test_an_exchange_is_one_group_of_bytes_on_each_cards_own_stream(cupy: FakeCupy) -> None:
    """Bytes have no type that anything could round, so codes of bf16 travel as well as floats do."""
    exchanged(cards(0, 1), cupy)
    parts = [("all-gather", rank, N_BYTES, cupy.nccl.NCCL_INT8, 77 + rank) for rank in range(2)]
    assert cupy.log == [("group",), *parts, ("end of group",)]


def test_an_exchange_does_not_wait_for_a_card(cupy: FakeCupy) -> None:
    exchanged(cards(0, 1), cupy)
    assert ("synchronize",) not in cupy.log


def test_communicators_are_destroyed_once(cupy: FakeCupy) -> None:
    communicator = joined(cards(0, 1))
    communicator.close()
    communicator.close()
    assert [entry for entry in cupy.log if entry[0] == "destroy"] == [("destroy", 0), ("destroy", 1)]


def test_without_nccl_cards_copy(cupy: FakeCupy) -> None:
    cupy.nccl.available = False
    devices = cards(0, 1)
    assert devices[0].communicator(devices) is None


@pytest.mark.parametrize("indices", [(0,), (1, 1), (0, 1, 0)], ids=str)
def test_only_two_cards_or_more_that_differ_are_joined(indices: tuple[int, ...], cupy: FakeCupy) -> None:
    devices = cards(*indices)
    assert devices[0].communicator(devices) is None
    assert not any(entry[0] == "join" for entry in cupy.log)


def test_a_device_of_another_kind_is_refused(cupy: FakeCupy) -> None:
    (device,) = cards(0)
    with pytest.raises(DeviceError, match="a device of another kind was given to CUDA"):
        device.communicator([device, SimpleNamespace()])  # type: ignore[list-item]


REMEDY = (
    r"with NCCL_DEBUG=INFO in the environment it says why, and where NCCL is not installed cards copy from each other"
)


def test_cards_that_cannot_be_joined_are_one_sentence(cupy: FakeCupy) -> None:
    cupy.nccl.failing = "initAll"
    message = rf"NCCL failed on cuda:1, cuda:0 while joining the cards: NCCL_ERROR_SYSTEM_ERROR: .*; {REMEDY}"
    with pytest.raises(DeviceError, match=message) as caught:
        joined(cards(1, 0))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("call", ["allGather", "groupEnd"])
def test_an_exchange_that_fails_is_one_sentence_and_its_group_is_over(call: str, cupy: FakeCupy) -> None:
    cupy.nccl.failing = call
    message = rf"NCCL failed on cuda:0, cuda:1 while exchanging pieces: NCCL_ERROR_SYSTEM_ERROR: .*; {REMEDY}"
    with pytest.raises(DeviceError, match=message) as caught:
        exchanged(cards(0, 1), cupy)
    assert "\n" not in str(caught.value)
    assert not cupy.nccl.is_open


def test_where_cupys_own_binding_is_missing_there_is_no_warning_and_no_communicator() -> None:
    missing = 'import sys; sys.modules["cupy_backends.cuda.libs.nccl"] = None'
    assert printed(f"{missing}; print(joined(cards))") == ["None"]


def test_cupys_own_binding_takes_the_calls_as_they_are_made(tmp_path: Path) -> None:
    calls = "found = joined(cards); found.all_gather([1000, 2000], [3000, 4000], 6); found.close()"
    assert printed(calls, LD_PRELOAD=str(stub(tmp_path))) == [
        "join 2: 4 7",
        "group",
        "all-gather 1000 to 3000, 6 of 0, 104 on 77",
        "all-gather 2000 to 4000, 6 of 0, 107 on 80",
        "end of group",
        "destroy 104",
        "destroy 107",
    ]


def stub(folder: Path) -> Path:
    """A library with all that this CuPy's binding looks for; preloaded, it comes before any other NCCL."""
    from cupy_backends.cuda import libs

    (binding,) = Path(str(libs.__file__)).parent.glob("nccl.*.so")
    text = STUB.read_text()
    wanted = {name.decode() for name in re.findall(rb"\0(nccl[A-Z]\w+)(?=\0)", binding.read_bytes())}
    source, library = folder / "stub.c", folder / "libnccl.so.2"
    there = set(re.findall(r"(nccl\w+)\(", text))
    source.write_text(text + "".join(f"int {name}(void) {{ return 1; }}\n" for name in sorted(wanted - there)))
    subprocess.run(["cc", "-shared", "-fPIC", "-Wl,-soname,libnccl.so.2", "-o", library, source], check=True)
    return library


def printed(calls: str, **environment: str) -> list[str]:
    """The lines that `calls` of cards 4 and 7 print, where addresses are numbers already; warnings are errors."""
    code = f"""
from types import SimpleNamespace
from harness.core.cuda.nccl import joined
cards = [SimpleNamespace(index=index, stream_pointer=73 + index, pointer=int) for index in (4, 7)]
{calls}
"""
    asked = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(asked, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()
