"""Several CUDA devices as one: values cross from device to device, and only tokens and logits meet the host.

All steps are enqueued in their one order by the caller's thread; devices wait for each other by markers, or by
exchanging partial sums all at once, and the host waits for nothing but the end.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import LogitsOf
from harness.core.compose.batch import Batch
from harness.core.compose.counts import largest_counts
from harness.core.compose.gathers import Gathers
from harness.core.cuda.api import Communicator
from harness.core.cuda.crossings import Source, piece_bytes
from harness.core.cuda.launches import Extent
from harness.core.cuda.member import CudaMember
from harness.core.program.collectives import without_exchanged
from harness.core.program.op import Op, Program, partial_sums
from harness.core.program.rendezvous import Turn, waits
from harness.core.program.segments import Crossing


class ContextOfPeers:
    """See `harness.core.backend.Context`."""

    def __init__(
        self, program: Program, order: Sequence[Turn], members: Sequence[CudaMember], gathers: Gathers
    ) -> None:
        self._logits = program.ops[-1].outputs[0]
        self._values = {value.name: value for value in program.values}
        self._members = {member.script.device: member for member in members}
        self._for_all = {op.outputs[0]: turn.step.all_tokens for turn in order for op in turn.ops}
        self._beginnings = gathers.beginnings
        buffers = {device: member.rooms.buffers for device, member in self._members.items()}
        needed = waits(without_exchanged(order, gathers.found), buffers)
        self._turns = tuple(zip(order, needed, strict=True))
        awaited = {point for _, points in self._turns for point in points.items()}
        self._markers = {point: self._members[point[0]].device.marker() for point in sorted(awaited)}
        for member in members:
            for other in members:
                if other is not member:
                    member.device.reach(other.device)

    def run(self, tokens: NDArray[np.int32], position: int, logits_of: LogitsOf) -> NDArray[np.float32] | None:
        """One ubatch. Errors: DeviceError."""
        batch = Batch.of(tokens, position, logits_of)
        extents = {device: member.enter(tokens, position, "all") for device, member in self._members.items()}
        for turn, points in self._turns:
            n = batch.n_tokens(turn.step)
            if n:
                if extents[turn.device].n_tokens != n:
                    extents[turn.device] = self._members[turn.device].enter(*batch.last(n), "all")
                self._enqueue(turn, points, extents[turn.device], len(tokens) - n)
            # Also of a step that was left out: whoever waits for it waits for those before it.
            if (turn.device, turn.index + 1) in self._markers:
                self._markers[turn.device, turn.index + 1].record()
        for member in self._members.values():
            member.device.synchronize()
        last = self._members[self._values[self._logits].device]
        return last.crossed_logits(self._logits, batch.n_wanted) if batch.n_wanted else None

    def expert_counts(self) -> NDArray[np.int64]:
        return largest_counts([member.expert_counts() for member in self._members.values()])

    def close(self) -> None:
        """Buffers go with the last reference to them."""
        for member in self._members.values():
            member.close()
        self._members, self._markers = {}, {}

    def _enqueue(self, turn: Turn, points: Mapping[str, int], extent: Extent, n_left_out: int) -> None:
        """One step for all but the first `n_left_out` tokens; values made for all of them are read from there on."""
        member = self._members[turn.device]
        names = {name for op in turn.ops for name in op.inputs}
        first_rows = {name: n_left_out for name in names if n_left_out and self._for_all[name]}
        begun = self._beginnings.get(turn.ops[0].outputs[0])
        if begun is not None:
            self._exchange(begun, turn.ops[0], extent.n_tokens, first_rows)
        for point in points.items():
            member.device.wait(self._markers[point])
        if isinstance(turn.step, Crossing):
            member.enqueue_crossing(turn.step.op, extent, self._sources(turn.step.op, extent.n_tokens, first_rows))
        else:
            member.enqueue_segment(turn.step, extent, first_rows)

    def _exchange(self, communicator: Communicator, op: Op, n: int, first_rows: Mapping[str, int]) -> None:
        """The partial sums of `op` to all devices, which have theirs enqueued by now; by rank, as the sum has them."""
        partials = partial_sums(op)
        sources = self._sources(op, n, first_rows)[: len(partials)]
        landings = [self._members[self._values[name].device].landing(op, n) for name in partials]
        communicator.all_gather([source.at for source in sources], landings, piece_bytes(op, n, sources[0].columns))

    def _sources(self, op: Op, n: int, first_rows: Mapping[str, int]) -> list[Source]:
        found = []
        partials = partial_sums(op) if op.name == "reduce" else ()
        for name in op.inputs:
            value = self._values[name]
            at = self._members[value.device].rows(name, first_rows.get(name, 0), n, on_the_wire=name in partials)
            found.append(Source(at, value.columns, value.device == op.device))
        return found
