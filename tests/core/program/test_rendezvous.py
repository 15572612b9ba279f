"""Devices that share memory: however their steps fall, each reads what the program says, and none waits for ever."""

import random
from collections.abc import Mapping
from typing import Any

import pytest

from harness.core.cpu.buffers import assign_buffers
from harness.core.gguf import open_gguf
from harness.core.models import read_model
from harness.core.options import Options
from harness.core.plan import make_plan
from harness.core.program.build import build_program
from harness.core.program.op import CROSSINGS, Program
from harness.core.program.rendezvous import Turn, lifetimes, turns, waits
from harness.core.program.segments import scripts

TWO, THREE = ("cpu:0", "cpu:1"), ("cpu:0", "cpu:1", "cpu:2")
CASES: list[dict[str, Any]] = [
    {"devices": TWO, "split_mode": "graph"},
    {"devices": THREE, "split_mode": "graph", "override_tensor": ((r"blk\.1\.ffn_.*_exps", "cpu:1"),)},
    {"devices": THREE, "split_mode": "layer"},
    {"devices": THREE, "split_mode": "row"},
    {"devices": TWO, "split_mode": "layer", "override_tensor": ((r"blk\.[02]\.attn", "cpu:1"),)},
]


class Memory:
    """What lies in each buffer of each device, by name; plays turns in any order that the waits allow."""

    def __init__(self, program: Program) -> None:
        found = scripts(program)
        self.order = turns(program, found)
        values = {script.device: script.program.values for script in found}
        self.buffers = {
            device: assign_buffers(lifetimes(program, self.order, device), values[device]).of for device in values
        }
        self.needed = list(waits(self.order, self.buffers))
        self.owner = {value.name: value.device for value in program.values}

    def play(self, needed: list[Mapping[str, int]], seed: int) -> list[str]:
        """Values that were read when something else lay in their place. Devices that all wait fail the test."""
        draw, done, holds, wrong = random.Random(seed), dict.fromkeys(self.buffers, 0), {}, []
        left = list(zip(self.order, needed, strict=True))
        slow = draw.choice(list(done))
        while left:
            ready = [
                item
                for item in left
                if item[0].index == done[item[0].device] and all(done[d] >= n for d, n in item[1].items())
            ]
            assert ready, "every device waits for another"
            quick = [item for item in ready if item[0].device != slow]
            turn, _ = chosen = draw.choice(quick if quick and draw.random() < 0.9 else ready)
            left.remove(chosen)
            wrong += self._run(turn, holds)
            done[turn.device] += 1
        return wrong

    def _run(self, turn: Turn, holds: dict[Any, str]) -> list[str]:
        wrong = []
        for op in turn.ops:
            for name in op.inputs:
                place = self.owner[name], self.buffers[self.owner[name]].get(name, name)
                wrong += [name] if holds.get(place) != name else []
            for name in op.outputs:
                holds[turn.device, self.buffers[turn.device].get(name, name)] = name
        return wrong


@pytest.fixture
def memory(made: Any, request: pytest.FixtureRequest) -> Memory:
    with open_gguf(made("tiny-gpt-oss")) as file:
        model = read_model(file)
        return Memory(build_program(model, make_plan(model, Options(**request.param))))


@pytest.mark.parametrize("memory", CASES, ids=str, indirect=True)
def test_whatever_the_devices_speeds_every_value_is_read_before_it_is_overwritten(memory: Memory) -> None:
    assert [wrong for seed in range(40) if (wrong := memory.play(memory.needed, seed))] == []


@pytest.mark.parametrize("memory", CASES[:2], ids=str, indirect=True)
@pytest.mark.parametrize("kind", ["for what is made", "for what is still read"])
def test_without_its_waits_a_device_reads_too_early_or_what_was_overwritten(memory: Memory, kind: str) -> None:
    """So each of the two kinds of wait is needed, and the test above can fail."""
    makes = [any(op.name in CROSSINGS for op in turn.ops) for turn in memory.order]
    fewer = [
        {} if crosses == (kind == "for what is made") else needed
        for crosses, needed in zip(makes, memory.needed, strict=True)
    ]
    assert any(memory.play(fewer, seed) for seed in range(40))


def test_a_value_that_crosses_keeps_its_place_until_the_last_device_has_read_it(made: Any) -> None:
    with open_gguf(made("tiny-gpt-oss")) as file:
        model = read_model(file)
        program = build_program(model, make_plan(model, Options(devices=TWO, split_mode="graph")))
    order = turns(program, scripts(program))
    partial = next(op for op in program.ops if op.name == "reduce").inputs[0]
    readers = [op for op in lifetimes(program, order, "cpu:0") if partial in op.inputs]
    assert [(op.device, op.name) for op in readers] == [("cpu:0", "reduce"), ("cpu:0", "hand_out")]
