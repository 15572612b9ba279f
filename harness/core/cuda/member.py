"""One device's part of a program that CUDA devices alone share: others read its values where they lie.

Nothing here waits: what is enqueued runs once the markers that the device was told to wait for have passed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.core.cuda import dense
from harness.core.cuda.api import Address, Device, Launch
from harness.core.cuda.crossings import CrossingWork, Source, cross, cross_landed, landing_of_all, narrow, narrowed
from harness.core.cuda.launches import Extent
from harness.core.cuda.part import CudaPart
from harness.core.cuda.weights import DeviceTensor
from harness.core.options import Options
from harness.core.program.op import CROSSINGS, Op, Program
from harness.core.program.segments import Script, Segment


class CudaMember(CudaPart):
    """`program` is that of all devices, `lifetimes` are the device's ops as its memory sees them.

    `landed`: outputs of reduces whose partial sums come all at once, into `landing`; the others' come one by one.
    """

    def __init__(
        self,
        device: Device,
        program: Program,
        script: Script,
        lifetimes: Sequence[Op],
        options: Options,
        weights: Mapping[tuple[str, str], DeviceTensor],
        landed: Collection[str] = (),
    ) -> None:
        self.device = device
        self._all_values = {value.name: value for value in program.values}
        self._wires = narrowed(program.ops)
        self._landed = frozenset(landed)
        seen = replace(script.program, ops=tuple(lifetimes))
        super().__init__(device, script, seen, options, weights, self._wires)

    def rows(self, name: str, first: int, n: int, *, on_the_wire: bool) -> Address:
        """Where `n` rows of a value of this device lie, from its row `first` on."""
        value = self._all_values[name]
        if value.kind == "logits":
            return dense.logits_room(self.rooms, n, n * value.columns * 4)
        is_narrow = on_the_wire and name in self._wires
        at = self.rooms.narrow(name) if is_narrow else self.rooms.value(name)
        return at._replace(offset=at.offset + first * value.columns * (2 if is_narrow else 4))

    def landing(self, op: Op, n: int) -> Address:
        """Where `n` rows of every partial sum of a reduce lie once they have come all at once."""
        return landing_of_all(self.rooms, op, n, self._all_values[op.outputs[0]].columns)

    def enqueue_crossing(self, op: Op, extent: Extent, sources: Sequence[Source]) -> None:
        """`sources`: the inputs, on whichever devices."""
        self._crossing(op, extent, sources).enqueue(self._device)

    def crossed_logits(self, name: str, n: int) -> NDArray[np.float32]:
        """Logits [n, columns] that the program ends with, once the device has made them."""
        columns = self._all_values[name].columns
        is_gathered = any(op.name in CROSSINGS and name in op.outputs for op in self.script.program.ops)
        at = self._gathered(name, n) if is_gathered else self.rows(name, 0, n, on_the_wire=False)
        return self._device.download(at, n * columns * 4).view(np.float32).reshape(n, columns)

    def _launches(self, extent: Extent) -> list[Launch]:
        """As for a part, and what crossings launch: where others' values lie changes none of that."""
        found = super()._launches(extent)
        for op in self.script.program.ops:
            if op.name in CROSSINGS:
                rows = extent.n_logits if self._all_values[op.outputs[0]].kind == "logits" else extent.n_tokens
                own = replace(extent, n_tokens=rows)
                found += self._crossing(op, own, [self._anywhere(name) for name in op.inputs]).launches
        return found

    def _anywhere(self, name: str) -> Source:
        value = self._all_values[name]
        return Source(self.standing.tokens, value.columns, value.device == self.script.device)

    def _crossing(self, op: Op, extent: Extent, sources: Sequence[Source]) -> CrossingWork:
        name, n = op.outputs[0], extent.n_tokens
        if self._all_values[name].kind == "logits":
            landing = "arriving logits" if n == 1 else "arriving logits of a prompt"
            return cross(self.begin(extent), op, sources, self._gathered(name, n), landing)
        if name in self._landed:
            return cross_landed(self.begin(extent), op, sources, self.rooms.value(name))
        return cross(self.begin(extent), op, sources, self.rooms.value(name), "arrivals")

    def _gathered(self, name: str, n: int) -> Address:
        n_bytes = n * self._all_values[name].columns * 4
        return self.rooms.scratch("all logits" if n == 1 else "all logits of a prompt", n_bytes)

    def _segment_launches(
        self, segment: Segment, extent: Extent, first_rows: Mapping[str, int] | None = None
    ) -> list[Launch]:
        """What leaves in two bytes a number is rounded where it was made."""
        launches = self.begin(extent)
        launches.collected += super()._segment_launches(segment, extent, first_rows)
        for name in segment.outputs:
            if name in self._wires:
                n = extent.n_tokens * self._columns[name]
                narrow(launches, self.rooms.value(name), self.rooms.narrow(name), self._wires[name], n)
        return launches.collected
