"""One device's part of a program that several devices share, segment by segment, values passing through the host.

Where a segment's experts are borrowed, the host learns from the router which, and brings them before they are needed.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.core.cuda import dense, forms
from harness.core.cuda.api import Address, Device, Graph, Launch
from harness.core.cuda.borrowing import Borrowing
from harness.core.cuda.context import OPS, CudaContext
from harness.core.cuda.launches import Extent, Routing
from harness.core.cuda.weights import DeviceTensor
from harness.core.options import Options
from harness.core.program.segments import Script, Segment

F32 = NDArray[np.float32]


class CudaSegments(CudaContext):
    """See `harness.core.backend.Segments`. Routings outlive their segment, so they are kept by number of tokens."""

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
        self._script = script
        self._columns = {value.name: value.columns for value in script.program.values}
        self._routings: dict[int, dict[str, Routing]] = {}
        self._segment_graphs: dict[tuple[int, int], Graph] = {}
        super().__init__(device, script.lifetimes, options, {**weights, **borrowing.in_rooms})

    def run_segment(
        self, index: int, tokens: NDArray[np.int32], position: int, given: Mapping[str, F32]
    ) -> dict[str, F32]:
        segment, n = self._script.segments[index], len(tokens)
        self._device.upload(self.standing.tokens, tokens.astype(np.int32))
        self._device.upload(self.standing.position, np.array([position], np.int32))
        for name, rows in given.items():
            self._device.upload(self.rooms.value(name), np.ascontiguousarray(rows))
        extent = Extent(n, self.bucket(position + n), n)
        if index in self._borrows:
            self._run_borrowing(segment, extent)
        elif n == 1:
            self._segment_graph(segment, extent).launch()
        else:
            for launch in self._segment_launches(segment, extent):
                self._device.launch(launch)
        made = {name: self._handed_out(segment, name, n) for name in segment.outputs}
        if not made:
            self._device.synchronize()
        return made

    def close(self) -> None:
        self._segment_graphs = {}
        super().close()

    def _handed_out(self, segment: Segment, name: str, n: int) -> F32:
        n_bytes = n * self._columns[name] * 4
        is_logits = any(op.name == "logits" and name in op.outputs for op in segment.ops)
        at: Address = dense.logits_room(self.rooms, n, n_bytes) if is_logits else self.rooms.value(name)
        return self._device.download(at, n_bytes).view(np.float32).reshape(n, -1)

    def _run_borrowing(self, segment: Segment, extent: Extent) -> None:
        """Operation by operation: what is on its way to one is read while those before it run."""
        found: dict[str, NDArray[np.int32]] = {}
        for op, launches in zip(segment.ops, self._by_op(segment, extent), strict=True):
            if self._borrowing.of(op):
                routing = op.inputs[1]
                if routing not in found:
                    found[routing] = self._borrowing.experts(self._routings[extent.n_tokens][routing])
                self._borrowing.bring(op, found[routing])
            for launch in launches:
                self._device.launch(launch)

    def _launches(self, extent: Extent) -> list[Launch]:
        return [launch for segment in self._script.segments for launch in self._segment_launches(segment, extent)]

    def _segment_launches(self, segment: Segment, extent: Extent) -> list[Launch]:
        return [launch for own in self._by_op(segment, extent) for launch in own]

    def _by_op(self, segment: Segment, extent: Extent) -> list[list[Launch]]:
        launches = self.begin(extent)
        launches.wanted = forms.wanted(segment.ops, segment.outputs, self._weights)
        launches.routing = self._routings.setdefault(extent.n_tokens, {})
        return [launches.of(OPS[op.name], op) for op in segment.ops]

    def _segment_graph(self, segment: Segment, extent: Extent) -> Graph:
        key = (segment.index, extent.n_chunks)
        if key not in self._segment_graphs:
            self._segment_graphs[key] = self._device.capture(self._segment_launches(segment, extent))
        return self._segment_graphs[key]
