"""Cuts a program that several devices run into what each does between values from others.

A device's script is a list of segments and crossings in the order of the program, so whoever waits for a value waits
for something earlier in that order, and no two devices wait for each other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.core.program.op import CROSSINGS, HAND_OUT, Op, Program, Sizes


@dataclass(frozen=True)
class Segment:
    """Operations of one device that need nothing from another while they run.

    `inputs` are made outside of the segment and handed to it, `outputs` are needed outside and handed out; what else
    passes from one segment to a later one stays in the device's memory. `all_tokens` is False after the last keys and
    values were stored: then only tokens whose logits are wanted are carried on.
    """

    index: int
    ops: tuple[Op, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    all_tokens: bool

    @property
    def sizes(self) -> Sizes:
        """Numbers of tokens it runs for."""
        return self.ops[0].sizes


@dataclass(frozen=True)
class Crossing:
    """A `copy`, `gather` or `reduce`, and for which tokens."""

    op: Op
    all_tokens: bool

    @property
    def sizes(self) -> Sizes:
        """Numbers of tokens it runs for."""
        return self.op.sizes


Step = Segment | Crossing


@dataclass(frozen=True)
class Script:
    """What one device does for every ubatch. `program` holds its ops (crossings too), values and KV slots alone."""

    device: str
    program: Program
    steps: tuple[Step, ...]

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The steps that a backend runs."""
        return tuple(step for step in self.steps if isinstance(step, Segment))

    @property
    def lifetimes(self) -> Program:
        """The program as memory sees it: crossings read no memory, and what a segment hands out lives to its end."""
        ops: list[Op] = []
        for step in self.steps:
            if isinstance(step, Crossing):
                ops.append(replace(step.op, inputs=()))
            else:
                ops += [*step.ops, Op(HAND_OUT, self.device, step.outputs, ())]
        return replace(self.program, ops=tuple(ops))


def scripts(program: Program) -> tuple[Script, ...]:
    """One script per device that has ops, in order of first use."""
    storing = _storing(program.ops)
    devices = dict.fromkeys(op.device for op in program.ops)
    return tuple(_Cutter(program, device, storing).script() for device in devices)


def _storing(ops: Sequence[Op]) -> frozenset[str]:
    """Values that some keys or values depend on, and what `qkv` makes: every token of them is needed."""
    found: set[str] = set()
    for op in reversed(ops):
        if op.name == "qkv" or op.outputs[0] in found:
            found.update((*op.inputs, *op.outputs))
    return frozenset(found)


class _Cutter:
    """Makes the script of one device."""

    def __init__(self, program: Program, device: str, storing: frozenset[str]) -> None:
        self._program = program
        self._device = device
        own = tuple(op for op in program.ops if op.device == device)
        self._slots = tuple(dict.fromkeys(int(op.params["slot"]) for op in own if op.name == "qkv"))
        self._ops = tuple(_with_slot(op, self._slots) for op in own)
        self._n_all = 1 + max((i for i, op in enumerate(self._ops) if op.outputs[0] in storing), default=-1)
        self._from_outside = {op.outputs[0] for op in self._ops if op.name in CROSSINGS}
        self._before_border = {op.outputs[0] for op in self._ops[: self._n_all]}
        crossing = (op for op in program.ops if op.name in CROSSINGS)
        self._leaving = {program.ops[-1].outputs[0], *(name for op in crossing for name in op.inputs)}

    def script(self) -> Script:
        handed: dict[tuple[bool, Sizes], set[str]] = {}
        steps: list[Step] = []
        for start, end in self._runs():
            all_tokens = start < self._n_all
            if self._ops[start].name in CROSSINGS:
                steps.append(Crossing(self._ops[start], all_tokens))
                continue
            index = sum(isinstance(step, Segment) for step in steps)
            there = handed.setdefault((all_tokens, self._ops[start].sizes), set())
            segment = self._segment(index, start, end, there)
            there.update(segment.inputs)
            steps.append(segment)
        return Script(self._device, self._local_program(), tuple(steps))

    def _runs(self) -> Iterator[tuple[int, int]]:
        """Crossings one by one; other ops of one size as long as they follow each other on the same side of the border.

        A value that others need ends its segment, so that they need not wait for more than it.
        """
        ops, start = self._ops, 0
        for end in range(1, len(ops) + 1):
            alone = end < len(ops) and (ops[end].name in CROSSINGS or ops[end].sizes != ops[start].sizes)
            if end in (len(ops), self._n_all) or alone or ops[end - 1].name in CROSSINGS or self._leaves(ops[end - 1]):
                yield start, end
                start = end

    def _leaves(self, op: Op) -> bool:
        return op.outputs[0] in self._leaving

    def _segment(self, index: int, start: int, end: int, handed: set[str]) -> Segment:
        all_tokens, ops = start < self._n_all, self._ops[start:end]
        made = [op.outputs[0] for op in ops]
        read = dict.fromkeys(name for op in ops for name in op.inputs if name not in made and name not in handed)
        inputs = [
            name for name in read if name in self._from_outside or (not all_tokens and name in self._before_border)
        ]
        later = {name for op in self._ops[self._n_all :] for name in op.inputs} if all_tokens else set()
        outputs = [name for name in made if name in self._leaving or name in later]
        return Segment(index, ops, tuple(inputs), tuple(outputs), all_tokens)

    def _local_program(self) -> Program:
        """Ops and values of the device, with its KV slots numbered from 0."""
        return replace(
            self._program,
            ops=self._ops,
            values=tuple(value for value in self._program.values if value.device == self._device),
            kv_slots=tuple(self._program.kv_slots[slot] for slot in self._slots),
        )


def _with_slot(op: Op, slots: tuple[int, ...]) -> Op:
    if "slot" not in op.params:
        return op
    return replace(op, params={**op.params, "slot": slots.index(int(op.params["slot"]))})
