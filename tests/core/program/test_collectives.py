"""Which reduces all devices can make of one exchange, and that nothing is overwritten where those replace waits."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from test_rendezvous import THREE, TWO, Memory

from harness.core.gguf import open_gguf
from harness.core.models import read_model
from harness.core.options import Options
from harness.core.plan import make_plan
from harness.core.program.build import build_program
from harness.core.program.collectives import Collective, collectives, without_exchanged
from harness.core.program.op import KvSlot, Op, Program, Value, partial_sums
from harness.core.program.rendezvous import Turn, turns, waits
from harness.core.program.segments import scripts

GRAPH: list[dict[str, Any]] = [
    {"devices": TWO, "split_mode": "graph"},
    {"devices": THREE, "split_mode": "graph", "tensor_split": (1, 2, 1)},
    {"devices": THREE, "split_mode": "graph", "override_tensor": ((r"blk\.1\.ffn_.*_exps", THREE[1]),)},
]
OTHERS: list[dict[str, Any]] = [
    {"devices": THREE, "split_mode": "layer"},
    {"devices": TWO, "split_mode": "row"},
    {"devices": THREE, "split_mode": "graph", "tensor_split": (1, 1, 0), "override_tensor": ((r"output", THREE[2]),)},
]


def program_of(made: Any, split: dict[str, Any]) -> Program:
    """Of a model with heads for three devices."""
    with open_gguf(made("gpt-oss", {"default": "Q8_0"}, n_head_kv=3)) as file:
        model = read_model(file)
        return build_program(model, make_plan(model, Options(**split)))


def found_in(program: Program) -> tuple[tuple[Turn, ...], tuple[Collective, ...]]:
    order = turns(program, scripts(program))
    return order, collectives(program, order)


@pytest.mark.parametrize("split", GRAPH, ids=str)
def test_the_sums_of_a_graph_split_are_made_of_one_exchange_but_for_those_that_one_device_reads(
    made: Any, split: dict[str, Any]
) -> None:
    program = program_of(made, split)
    found = found_in(program)[1]
    reduces = [op for op in program.ops if op.name == "reduce"]
    alone = [op for op in reduces if not any(op.outputs[0] in each.sums for each in found)]
    n_layers, is_moved = 3, "override_tensor" in split
    assert len(found) == 2 * n_layers - 2 * is_moved
    assert [op.device for op in alone] == [THREE[1]] * is_moved  # what it alone reads, it alone adds up
    for each in found:
        assert each.devices == split["devices"]
        assert all(partial_sums(op) == each.partials for op in reduces if op.outputs[0] in each.sums)


@pytest.mark.parametrize("split", GRAPH, ids=str)
def test_at_the_first_sums_turn_all_partial_sums_are_made_and_the_exchange_before_is_over(
    made: Any, split: dict[str, Any]
) -> None:
    order, found = found_in(program_of(made, split))
    turn_of = {op.outputs[0]: position for position, turn in enumerate(order) for op in turn.ops}
    end = -1
    for each in found:
        assert end < turn_of[each.sums[0]]
        assert all(turn_of[name] < turn_of[each.sums[0]] for name in each.partials)
        end = max(turn_of[name] for name in each.sums)


@pytest.mark.parametrize("split", OTHERS, ids=str)
def test_what_fewer_than_all_devices_add_up_is_not_exchanged(made: Any, split: dict[str, Any]) -> None:
    program = program_of(made, split)
    assert len({op.device for op in program.ops}) == len(split["devices"])
    assert found_in(program)[1] == ()


def written(*ops: tuple[str, str, tuple[str, ...], str], wants_all: Sequence[str] = ()) -> Program:
    """A program of (name, device, inputs, output); what feeds an output in `wants_all` keeps all tokens."""
    made = [
        Op(name, device, inputs, (output,), params={"residual": False, "wire": "f32"})
        for name, device, inputs, output in ops
    ]
    made += [
        Op("qkv", op.device, op.outputs, (f"q.{op.outputs[0]}",), params={"slot": 0})
        for op in made
        if op.outputs[0] in wants_all
    ]
    values = tuple(Value(op.outputs[0], "f32", 8, op.device) for op in made)
    return Program(tuple(made), values, (KvSlot(A, 1, 8, 8, 0),), (), 8, 8)


A, B = "cuda:0", "cuda:1"
PARTIALS = (("embed", A, (), "a"), ("embed", B, (), "b"), ("embed", A, (), "c"), ("embed", B, (), "d"))


def sums_of(program: Program) -> list[tuple[str, ...]]:
    return [each.sums for each in found_in(program)[1]]


def test_an_exchange_that_begins_before_the_last_one_is_over_is_none() -> None:
    """Else its partial sums would land where others still lie."""
    one = [("reduce", A, ("a", "b"), "s"), ("reduce", B, ("a", "b"), "t")]
    two = [("reduce", A, ("c", "d"), "u"), ("reduce", B, ("c", "d"), "v")]
    assert sums_of(written(*PARTIALS, *one, *two)) == [("s", "t"), ("u", "v")]
    assert sums_of(written(*PARTIALS, one[0], two[0], one[1], two[1])) == [("s", "t")]


def test_a_device_has_one_rank() -> None:
    """A communicator hands pieces out in one order; a sum in another one is made of copies."""
    one = [("reduce", A, ("a", "b"), "s"), ("reduce", B, ("a", "b"), "t")]
    two = [("reduce", A, ("d", "c"), "u"), ("reduce", B, ("d", "c"), "v")]
    assert sums_of(written(*PARTIALS, *one, *two)) == [("s", "t")]
    assert sums_of(written(*PARTIALS, *two, *one)) == [("u", "v")]


def test_one_partial_sum_of_each_device_and_one_sum_on_each_is_an_exchange_and_nothing_else() -> None:
    def both(*inputs: str) -> list[tuple[str, str, tuple[str, ...], str]]:
        return [("reduce", A, inputs, "s"), ("reduce", B, inputs, "t")]

    assert sums_of(written(*PARTIALS, *both("a", "b"))) == [("s", "t")]
    assert sums_of(written(*PARTIALS, *both("a", "c"))) == []
    assert sums_of(written(*PARTIALS, *both("a", "b", "c"))) == []
    assert sums_of(written(*PARTIALS, *both("a"))) == []
    assert sums_of(written(*PARTIALS, both("a", "b")[0])) == []
    assert sums_of(written(PARTIALS[0], PARTIALS[2], ("reduce", A, ("a", "c"), "s"))) == []


def test_sums_for_other_tokens_are_made_of_copies() -> None:
    both = [("reduce", A, ("a", "b"), "s"), ("reduce", B, ("a", "b"), "t")]
    assert sums_of(written(*PARTIALS, *both, wants_all=("s", "t"))) == [("s", "t")]
    assert sums_of(written(*PARTIALS, *both, wants_all=("s",))) == []


class Exchanging(Memory):
    """Devices that also meet: none goes on from there before all have come."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.found = collectives(program, self.order)
        self.needed = list(waits(without_exchanged(self.order, self.found), self.buffers))

    def meet_and_play(self, seed: int) -> list[str]:
        """Values that were read when something else lay in their place, by exchanges too."""
        draw, done, holds, wrong = random.Random(seed), dict.fromkeys(self.buffers, 0), {}, []
        begins = {each.sums[0]: each for each in self.found}
        exchanged = {name: each.partials for each in self.found for name in each.sums}
        queues: dict[str, list[Any]] = {device: [] for device in self.buffers}
        for turn, needed in zip(self.order, self.needed, strict=True):
            if turn.ops[0].outputs[0] in begins:
                for queue in queues.values():
                    queue.append(begins[turn.ops[0].outputs[0]])
            queues[turn.device].append((turn, needed))
        while any(queues.values()):
            heads = {device: queue[0] for device, queue in queues.items() if queue}
            meeting = next(iter(heads.values()))
            if isinstance(meeting, Collective) and all(head is meeting for head in heads.values()):
                wrong += [name for name in meeting.partials if holds.get(self.place(name)) != name]
                for queue in queues.values():
                    queue.pop(0)
                continue
            ready = [
                device
                for device, head in heads.items()
                if not isinstance(head, Collective) and all(done[d] >= n for d, n in head[1].items())
            ]
            assert ready, "every device waits for another"
            turn, _ = queues[draw.choice(ready)].pop(0)
            landed = exchanged.get(turn.ops[0].outputs[0], ())
            wrong += [name for name in self._run(turn, holds) if name not in landed]
            done[turn.device] += 1
        return wrong

    def place(self, name: str) -> tuple[str, Any]:
        return self.owner[name], self.buffers[self.owner[name]].get(name, name)


@pytest.mark.parametrize("split", GRAPH, ids=str)
def test_whatever_the_devices_speeds_exchanges_need_no_waits_beside_them(made: Any, split: dict[str, Any]) -> None:
    memory = Exchanging(program_of(made, split))
    assert [wrong for seed in range(40) if (wrong := memory.meet_and_play(seed))] == []
    assert sum(map(len, memory.needed)) < sum(map(len, waits(memory.order, memory.buffers)))
