import math
from types import SimpleNamespace
from typing import cast

import pytest

from harness.cli.evidence import Evidence, Track, machine
from harness.store.sessions import RunEntry


def run(name: str, **rates: float) -> RunEntry:
    named = {f"int8 {isa}, {where}": rate for isa, rate in rates.items() for where in ("1 thread", "2 threads")}
    return RunEntry(name, name, "smoke", "a machine", (), "", False, rates={**named, "int8 mma, cuda:0": 1e12})


def evidence(*again: RunEntry) -> Evidence:
    devices = ("cpu:0", "cuda:0", "cuda:1")
    tracks = [cast("Track", SimpleNamespace(key=SimpleNamespace(metric="pp", device=name))) for name in devices]
    nights = tuple(run(f"night {night}", avx2=1e9, vnni=4e9) for night in range(5))
    return Evidence(run("tonight", avx2=0.5e9, vnni=2e9), None, tuple(tracks), nights, again)


def test_a_kind_is_held_against_what_its_device_can_do_at_most() -> None:
    shifts = machine(evidence())
    assert shifts["pp on cpu:0"] == pytest.approx(math.log(0.5))
    assert shifts["pp on cuda:0"] == 0
    assert "pp on cuda:1" not in shifts


def test_the_sessions_that_the_verdict_rests_on_are_those_that_count() -> None:
    again = [run(f"again {number}", avx2=0.9e9, vnni=3.6e9) for number in range(3)]
    assert machine(evidence(*again))["pp on cpu:0"] == pytest.approx(math.log(0.9))
