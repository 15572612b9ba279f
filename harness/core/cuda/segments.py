"""One device's part of a program that several devices share, segment by segment, values passing through the host.

Where a segment's experts are borrowed, the host learns from the router which, and brings them before they are needed.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.core.cuda import dense
from harness.core.cuda.api import Address, Device
from harness.core.cuda.borrowing import Borrowing
from harness.core.cuda.launches import Extent
from harness.core.cuda.part import CudaPart
from harness.core.cuda.weights import DeviceTensor
from harness.core.options import Options
from harness.core.program.segments import Script, Segment

F32 = NDArray[np.float32]


class CudaSegments(CudaPart):
    """See `harness.core.backend.Segments`."""

    def __init__(
        self,
        device: Device,
        script: Script,
        options: Options,
        weights: Mapping[tuple[str, str], DeviceTensor],
        borrowing: Borrowing,
    ) -> None:
        self._borrowing = borrowing
        self._borrows = {segment.index for segment in script.segments if any(map(borrowing.of, segment.ops))}
        super().__init__(device, script, script.lifetimes, options, {**weights, **borrowing.in_rooms})

    def run_segment(
        self, index: int, tokens: NDArray[np.int32], position: int, given: Mapping[str, F32]
    ) -> dict[str, F32]:
        segment, extent = self.script.segments[index], self.enter(tokens, position, "all")
        for name, rows in given.items():
            self._device.upload(self.rooms.value(name), np.ascontiguousarray(rows))
        if index in self._borrows:
            self._run_borrowing(segment, extent)
        else:
            self.enqueue_segment(segment, extent)
        made = {name: self._handed_out(segment, name, len(tokens)) for name in segment.outputs}
        if not made:
            self._device.synchronize()
        return made

    def _handed_out(self, segment: Segment, name: str, n: int) -> F32:
        n_bytes = n * self._columns[name] * 4
        is_logits = any(op.name == "logits" and name in op.outputs for op in segment.ops)
        at: Address = dense.logits_room(self.rooms, n, n_bytes) if is_logits else self.rooms.value(name)
        return self._device.download(at, n_bytes).view(np.float32).reshape(n, -1)

    def _run_borrowing(self, segment: Segment, extent: Extent) -> None:
        """Operation by operation: what is on its way to one is read while those before it run."""
        found: dict[str, NDArray[np.int32]] = {}
        for op, launches in zip(segment.ops, self.launches_of(segment, extent), strict=True):
            if self._borrowing.of(op):
                routing = op.inputs[1]
                if routing not in found:
                    found[routing] = self._borrowing.experts(self.routings[extent.n_tokens][routing])
                self._borrowing.bring(op, found[routing])
            for launch in launches:
                self._device.launch(launch)
