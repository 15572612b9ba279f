"""The driver's answers, through a stub that plays traces."""

from typing import Any

import pytest

from harness.telemetry.nvml import NO_DRIVER, GpuReading, Gpus, gpu_names, xid_verdict

BUSY = {
    "power_mw": 350_000,
    "energy_mj": 1_000_500,
    "sm_mhz": 1695,
    "memory_mhz": 9501,
    "temperature_c": 71,
    "memory_bytes": 12 << 30,
    "ecc": 0,
    "reasons": 0x4,
}


def test_a_card_is_read_in_watts_joules_megahertz_and_bytes(stub_nvml: Any) -> None:
    (card,) = Gpus(stub_nvml([BUSY])).read()
    assert card == GpuReading(350.0, 1000.5, 1695.0, 9501.0, 71.0, 12 << 30, 0, ("power cap",))


def test_what_a_card_does_not_support_is_none(stub_nvml: Any) -> None:
    (card,) = Gpus(stub_nvml([{"temperature_c": 40, "memory_bytes": 5}])).read()
    assert card == GpuReading(temperature_c=40.0, memory_bytes=5)


def test_no_driver_is_a_plain_statement(stub_nvml: Any) -> None:
    gpus = Gpus(stub_nvml([], fails="NVML Shared Library Not Found"))
    assert gpus.note == NO_DRIVER.format(why="NVML Shared Library Not Found")
    assert (len(gpus), gpus.read(), gpus.names, gpus.driver) == (0, (), (), "")
    assert not gpus.harmful_reasons()
    assert not gpus.xids()
    gpus.close()


def test_a_card_at_its_power_cap_is_not_spoiled_but_a_hot_one_is(stub_nvml: Any) -> None:
    assert Gpus(stub_nvml([BUSY])).harmful_reasons() == ()
    hot = Gpus(stub_nvml([BUSY | {"reasons": 0x1 | 0x4 | 0x40}], cards=2))
    assert hot.harmful_reasons() == ("hardware thermal slowdown",)
    assert hot.read()[0].reasons == ("power cap", "hardware thermal slowdown")


def test_xid_errors_are_delivered_once(stub_nvml: Any) -> None:
    gpus = Gpus(stub_nvml([BUSY], xids=(31, 79)))
    assert gpus.xids() == (31, 79)
    assert gpus.xids() == ()


@pytest.mark.parametrize(("xid", "verdict"), [(79, "fatal"), (48, "fatal"), (31, "application"), (92, "noted")])
def test_an_xid_says_whether_the_card_the_case_or_nothing_is_lost(xid: int, verdict: str) -> None:
    assert xid_verdict(xid) == verdict


def test_names_and_driver_version_come_from_the_driver(stub_nvml: Any) -> None:
    gpus = Gpus(stub_nvml([BUSY], cards=2))
    assert gpus.names == ("NVIDIA GeForce RTX 3090",) * 2
    assert gpus.driver == "550.54"


def test_closing_gives_the_driver_back_and_may_be_repeated(stub_nvml: Any) -> None:
    stub = stub_nvml([BUSY])
    gpus = Gpus(stub)
    assert stub.open
    gpus.close()
    gpus.close()
    assert not stub.open


def test_asking_the_real_machine_never_raises() -> None:
    names, driver = gpu_names()
    assert bool(names) == bool(driver)


def test_the_stub_has_only_names_the_real_module_has(stub_nvml: Any) -> None:
    real = pytest.importorskip("pynvml")
    ours = {name for name in vars(stub_nvml) if name.lower().startswith("nvml")}
    assert {name for name in ours if not hasattr(real, name)} == set()
