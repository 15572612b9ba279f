"""One device's part of a program that several devices share, segment by segment, values passing through the host."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.core.cuda import dense
from harness.core.cuda.api import Address, Device
from harness.core.cuda.part import CudaPart
from harness.core.cuda.weights import DeviceTensor
from harness.core.options import Options
from harness.core.program.segments import Script, Segment

F32 = NDArray[np.float32]


class CudaSegments(CudaPart):
    """See `harness.core.backend.Segments`."""

    def __init__(
        self, device: Device, script: Script, options: Options, weights: Mapping[tuple[str, str], DeviceTensor]
    ) -> None:
        super().__init__(device, script, script.lifetimes, options, weights)

    def run_segment(
        self, index: int, tokens: NDArray[np.int32], position: int, given: Mapping[str, F32]
    ) -> dict[str, F32]:
        segment, extent = self.script.segments[index], self.enter(tokens, position, "all")
        for name, rows in given.items():
            self._device.upload(self.rooms.value(name), np.ascontiguousarray(rows))
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
