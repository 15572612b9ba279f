"""When devices that share memory may go on: which steps of others a step waits for, so that values stay where they lie.

Steps of all devices have one order, that of their first operations. A value's buffer is taken again only after its last
reader in that order, on whichever device, and every wait is for something earlier in it: no two devices wait for each
other.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.core.program.op import HAND_OUT, Op, Program
from harness.core.program.segments import Crossing, Script, Step

BufferOf = Mapping[str, int]


@dataclass(frozen=True)
class Turn:
    """One step of one device: the `index`-th of its script."""

    device: str
    index: int
    step: Step

    @property
    def ops(self) -> tuple[Op, ...]:
        """What it runs."""
        return (self.step.op,) if isinstance(self.step, Crossing) else self.step.ops


def turns(program: Program, found: Sequence[Script]) -> tuple[Turn, ...]:
    """The steps of all scripts in their one order."""
    position = {op.outputs[0]: index for index, op in enumerate(program.ops)}
    steps = [Turn(script.device, index, step) for script in found for index, step in enumerate(script.steps)]
    return tuple(sorted(steps, key=lambda turn: position[turn.ops[0].outputs[0]]))


def lifetimes(program: Program, order: Sequence[Turn], device: str) -> tuple[Op, ...]:
    """A device's ops as its memory sees them: those of others read its values, and its own nobody else's."""
    own = {value.name for value in program.values if value.device == device}
    ops: list[Op] = []
    for turn in order:
        for op in turn.ops:
            inputs = tuple(name for name in op.inputs if name in own)
            if turn.device == device:
                ops.append(replace(op, inputs=inputs))
            elif inputs:
                ops.append(Op(HAND_OUT, device, inputs, ()))
    return tuple(ops)


def waits(order: Sequence[Turn], buffers: Mapping[str, BufferOf]) -> Iterator[Mapping[str, int]]:
    """For each turn, how many steps of other devices must be done: those that make what it reads, or read what it
    overwrites. `buffers` tells, by device, where values lie; a value that is in none is never overwritten.
    """
    made: dict[str, tuple[str, int]] = {}
    readers: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    for turn in order:
        needed: dict[str, int] = {}
        for op in turn.ops:
            makers = [made[name] for name in op.inputs]
            written = buffers[turn.device].get(op.outputs[0])
            reading = [] if written is None else readers[turn.device, written].items()
            for device, n_steps in (*makers, *reading):
                if device != turn.device:
                    needed[device] = max(needed.get(device, 0), n_steps)
            made[op.outputs[0]] = turn.device, turn.index + 1
        yield needed
        for name in {name for op in turn.ops for name in op.inputs}:
            maker, _ = made[name]
            if maker != turn.device and name in buffers[maker]:
                readers[maker, buffers[maker][name]][turn.device] = turn.index + 1
