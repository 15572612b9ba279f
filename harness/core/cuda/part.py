"""One device's part of a program that several devices share: a segment is launches or, for a single token, a graph."""

from collections.abc import Collection, Mapping

from harness.core.cuda import forms
from harness.core.cuda.api import Device, Graph, Launch
from harness.core.cuda.context import OPS, CudaContext
from harness.core.cuda.launches import Extent, Routing
from harness.core.cuda.weights import DeviceTensor
from harness.core.options import Options
from harness.core.program.op import Program
from harness.core.program.segments import Script, Segment


class CudaPart(CudaContext):
    """`program` is the script's as the device's memory sees it; values `narrowed` have room for two bytes a number too.

    Routings outlive their segment, so they are kept by number of tokens.
    """

    def __init__(
        self,
        device: Device,
        script: Script,
        program: Program,
        options: Options,
        weights: Mapping[tuple[str, str], DeviceTensor],
        narrowed: Collection[str] = (),
    ) -> None:
        self.script = script
        self._columns = {value.name: value.columns for value in script.program.values}
        self.routings: dict[int, dict[str, Routing]] = {}
        self._segment_graphs: dict[tuple[int, int], Graph] = {}
        super().__init__(device, program, options, weights, narrowed)

    def close(self) -> None:
        self._segment_graphs = {}
        super().close()

    def enqueue_segment(self, segment: Segment, extent: Extent, first_rows: Mapping[str, int] | None = None) -> None:
        """`first_rows`: values of which the segment reads later rows alone, and the first of them."""
        if extent.n_tokens == 1 and not first_rows:
            self._segment_graph(segment, extent).launch()
            return
        for launch in self._segment_launches(segment, extent, first_rows):
            self._device.launch(launch)

    def _launches(self, extent: Extent) -> list[Launch]:
        return [launch for segment in self.script.segments for launch in self._segment_launches(segment, extent)]

    def _segment_launches(
        self, segment: Segment, extent: Extent, first_rows: Mapping[str, int] | None = None
    ) -> list[Launch]:
        return [launch for own in self.launches_of(segment, extent, first_rows) for launch in own]

    def launches_of(
        self, segment: Segment, extent: Extent, first_rows: Mapping[str, int] | None = None
    ) -> list[list[Launch]]:
        """The launches of a run of that extent, for each operation of the segment."""
        launches = self.begin(extent)
        if first_rows:
            launches.rooms = self.rooms.starting_at(first_rows)
        launches.wanted = forms.wanted(segment.ops, segment.outputs, self._weights)
        launches.routing = self.routings.setdefault(extent.n_tokens, {})
        return [launches.of(OPS[op.name], op) for op in segment.ops]

    def _segment_graph(self, segment: Segment, extent: Extent) -> Graph:
        key = (segment.index, extent.n_chunks)
        if key not in self._segment_graphs:
            self._segment_graphs[key] = self._device.capture(self._segment_launches(segment, extent))
        return self._segment_graphs[key]
