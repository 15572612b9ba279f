"""`copy`, `gather` and `reduce` between CUDA devices: what others made is copied to the reader, and put together there.

Partial sums are rounded to the wire's type by their makers and added in ascending order: the bits of
compose/crossings.py, on every device, whether they came one by one or all at once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from harness.core.cuda.api import Address, Device, KernelName, Launch
from harness.core.cuda.launches import Launches, integer
from harness.core.cuda.rooms import Rooms
from harness.core.program.op import Op, partial_sums

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


def cross_landed(launches: Launches, op: Op, sources: Sequence[Source], to: Address) -> CrossingWork:
    """As `cross`, of a `reduce` whose partial sums are all where they land at once, this device's own too."""
    n_partials = len(partial_sums(op))
    columns = sources[0].columns
    at = landing_of_all(launches.rooms, op, launches.extent.n_tokens, columns)
    _add(launches, op, _Sums(at, None, n_partials), sources[n_partials:], columns, to)
    return CrossingWork([], launches.collected)


def landing_of_all(rooms: Rooms, op: Op, n_tokens: int, columns: int) -> Address:
    """Where the partial sums of a `reduce` land at once, one behind the other: memory that nothing else lands in."""
    n_bytes = len(partial_sums(op)) * piece_bytes(op, n_tokens, columns)
    return rooms.scratch("arrivals from all devices", n_bytes)


def piece_bytes(op: Op, n_tokens: int, columns: int) -> int:
    """Of one partial sum of a `reduce`, in the wire's type."""
    return n_tokens * columns * (2 if WIRES[str(op.params["wire"])] else 4)


def narrowed(ops: Sequence[Op]) -> Mapping[str, int]:
    """Values that travel in two bytes a number, and as which wire: partial sums alone do."""
    return {
        name: WIRES[str(op.params["wire"])]
        for op in ops
        if op.name == "reduce" and op.params["wire"] != "f32"
        for name in partial_sums(op)
    }


def narrow(launches: Launches, value: Address, to: Address, wire: int, n: int) -> None:
    """`n` floats rounded to two bytes each."""
    launches.add(KernelName("crossings", "narrow"), (-(-n // 256), 1, 1), 256, value, to, integer(wire), integer(n))


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
    n_partials = len(partial_sums(op))
    partials, columns = sources[:n_partials], sources[0].columns
    copies, local = _landed(launches.rooms, partials, piece_bytes(op, launches.extent.n_tokens, 1), landing)
    own = next((index for index, source in enumerate(partials) if source.is_here), n_partials)
    others = next((at for source, at in zip(partials, local, strict=True) if not source.is_here), None)
    sums = _Sums(others, local[own] if own < n_partials else None, own)
    _add(launches, op, sums, sources[n_partials:], columns, to)
    return copies


class _Sums(NamedTuple):
    """Partial sums as the kernel takes them: this device's is the `own`-th, or there is none and all are `others`."""

    others: Address | None
    mine: Address | None
    own: int


def _add(launches: Launches, op: Op, sums: _Sums, residual: Sequence[Source], columns: int, to: Address) -> None:
    n, wire = launches.extent.n_tokens * columns, WIRES[str(op.params["wire"])]
    numbers = integer(sums.own), integer(len(partial_sums(op))), integer(wire)
    args = (sums.others, sums.mine, *numbers, residual[0].at if residual else None, to, integer(n))
    launches.add(KernelName("crossings", "add_partials"), (-(-n // 256), 1, 1), 256, *args)


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
