"""`copy`, `gather` and `reduce` between CUDA devices: what others made is copied to the reader, and put together there.

Partial sums are rounded to the wire's type by their makers and added in ascending order: the bits of
compose/crossings.py, on every device.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from harness.core.cuda.api import Address, Device, KernelName, Launch
from harness.core.cuda.launches import Launches, integer
from harness.core.cuda.rooms import Rooms
from harness.core.program.op import Op

WIRES = {"f32": 0, "f16": 1, "bf16": 2}


class Source(NamedTuple):
    """Rows that a crossing reads, `columns` numbers each, and whether they lie on the device that reads them."""

    at: Address
    columns: int
    is_here: bool


class Copy(NamedTuple):
    """Bytes of another device on their way to this one."""

    to: Address
    source: Address
    n_bytes: int


class CrossingWork(NamedTuple):
    """Copies, and launches that read what they brought."""

    copies: list[Copy]
    launches: list[Launch]

    def enqueue(self, device: Device) -> None:
        """On the device that reads."""
        for copy in self.copies:
            device.copy(*copy)
        for launch in self.launches:
            device.launch(launch)


def cross(launches: Launches, op: Op, sources: Sequence[Source], to: Address, landing: str) -> CrossingWork:
    """The crossing of `launches.extent`'s tokens into `to`; `landing` names the scratch memory where values arrive."""
    copies = _CROSSINGS[op.name](launches, op, sources, to, landing)
    return CrossingWork(copies, launches.collected)


def narrowed(ops: Sequence[Op]) -> Mapping[str, int]:
    """Values that travel in two bytes a number, and as which wire: partial sums alone do."""
    return {
        name: WIRES[str(op.params["wire"])]
        for op in ops
        if op.name == "reduce" and op.params["wire"] != "f32"
        for name in _partials(op)
    }


def narrow(launches: Launches, value: Address, to: Address, wire: int, n: int) -> None:
    """`n` floats rounded to two bytes each."""
    launches.add(KernelName("crossings", "narrow"), (-(-n // 256), 1, 1), 256, value, to, integer(wire), integer(n))


def _partials(op: Op) -> tuple[str, ...]:
    return op.inputs[:-1] if op.params["residual"] else op.inputs


def _copy(launches: Launches, _op: Op, sources: Sequence[Source], to: Address, _landing: str) -> list[Copy]:
    (source,) = sources
    return [Copy(to, source.at, launches.extent.n_tokens * source.columns * 4)]


def _gather(launches: Launches, op: Op, sources: Sequence[Source], to: Address, landing: str) -> list[Copy]:
    n_slots = int(op.params["n_slots"])
    rows, all_columns = launches.extent.n_tokens * n_slots, sum(source.columns for source in sources) // n_slots
    copies, local = _landed(launches.rooms, sources, launches.extent.n_tokens * 4, landing)
    first = 0
    for source, at in zip(sources, local, strict=True):
        n = source.columns // n_slots
        grid, args = (rows, -(-n // 128), 1), (at, integer(n), to, integer(first), integer(all_columns))
        launches.add(KernelName("crossings", "place_columns"), grid, 128, *args)
        first += n
    return copies


def _reduce(launches: Launches, op: Op, sources: Sequence[Source], to: Address, landing: str) -> list[Copy]:
    n_partials = len(_partials(op))
    partials, residual = sources[:n_partials], sources[n_partials:]
    wire, n = WIRES[str(op.params["wire"])], launches.extent.n_tokens * partials[0].columns
    copies, local = _landed(launches.rooms, partials, launches.extent.n_tokens * (2 if wire else 4), landing)
    own = next((index for index, source in enumerate(partials) if source.is_here), n_partials)
    others = next((at for source, at in zip(partials, local, strict=True) if not source.is_here), None)
    sums = (others, local[own] if own < n_partials else None, integer(own), integer(n_partials), integer(wire))
    x = residual[0].at if residual else None
    launches.add(KernelName("crossings", "add_partials"), (-(-n // 256), 1, 1), 256, *sums, x, to, integer(n))
    return copies


def _landed(
    rooms: Rooms, sources: Sequence[Source], bytes_per_column: int, landing: str
) -> tuple[list[Copy], list[Address]]:
    """Copies of what lies elsewhere, one behind the other, and where all lie then."""
    sizes = [0 if source.is_here else source.columns * bytes_per_column for source in sources]
    room = rooms.scratch(landing, max(sum(sizes), 4))
    copies, local, offset = [], [], 0
    for source, size in zip(sources, sizes, strict=True):
        at = source.at if source.is_here else room._replace(offset=offset)
        local.append(at)
        if not source.is_here:
            copies.append(Copy(at, source.at, size))
        offset += size
    return copies, local


_CROSSINGS: Mapping[str, Callable[[Launches, Op, Sequence[Source], Address, str], list[Copy]]] = {
    "copy": _copy,
    "gather": _gather,
    "reduce": _reduce,
}
