"""Reduces that all devices make of the same partial sums, one of each: those can be exchanged in one transfer.

Everybody then has all of them in the order of the sum, and adds them as if they had come one by one.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.core.program.op import Program, partial_sums
from harness.core.program.rendezvous import Turn
from harness.core.program.segments import Crossing


@dataclass(frozen=True)
class Collective:
    """`partials` in the order of the sum, `devices` that make them in the same order, and the `sums` made of them.

    Sums are in the order of their turns: once the first one's turn has come, all partial sums are made before it.
    """

    devices: tuple[str, ...]
    partials: tuple[str, ...]
    sums: tuple[str, ...]


def collectives(program: Program, order: Sequence[Turn]) -> tuple[Collective, ...]:
    """Those of a program whose steps have this order; a device has the same rank in all of them.

    One is over before the next begins, so that all can land in the same memory.
    """
    maker = {value.name: value.device for value in program.values}
    all_devices = sorted({turn.device for turn in order})
    found: list[Collective] = []
    end = -1
    for positions in _same_partials(order):
        readers = [order[position] for position in positions]
        partials = partial_sums(readers[0].ops[0])
        devices = tuple(maker[name] for name in partials)
        is_of_all = sorted(devices) == sorted(turn.device for turn in readers) == all_devices
        if is_of_all and len(devices) > 1 and positions[0] > end and (not found or devices == found[0].devices):
            found.append(Collective(devices, partials, tuple(turn.ops[0].outputs[0] for turn in readers)))
            end = positions[-1]
    return tuple(found)


def without_exchanged(order: Sequence[Turn], found: Sequence[Collective]) -> tuple[Turn, ...]:
    """The turns as waits see them: a collective transfer waits for all makers, and no maker goes on before it ends."""
    exchanged = {name: each.partials for each in found for name in each.sums}
    return tuple(_reading_less(turn, exchanged.get(turn.ops[0].outputs[0], ())) for turn in order)


def _same_partials(order: Sequence[Turn]) -> list[list[int]]:
    """Positions of reduces of the same partial sums for the same tokens, by the first of each."""
    positions: dict[object, list[int]] = defaultdict(list)
    for position, turn in enumerate(order):
        if isinstance(turn.step, Crossing) and turn.step.op.name == "reduce":
            positions[partial_sums(turn.step.op), turn.step.all_tokens, turn.step.sizes].append(position)
    return list(positions.values())


def _reading_less(turn: Turn, exchanged: Sequence[str]) -> Turn:
    if not isinstance(turn.step, Crossing) or not exchanged:
        return turn
    inputs = tuple(name for name in turn.step.op.inputs if name not in exchanged)
    return replace(turn, step=replace(turn.step, op=replace(turn.step.op, inputs=inputs)))
