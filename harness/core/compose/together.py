"""Several `cpu:N` as one: all their scripts are run by one native call per ubatch.

Values that cross are read where they lie, and devices meet natively, so nothing between two layers is Python's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import LogitsOf
from harness.core.compose.counts import largest_counts
from harness.core.cpu.context import context_errors, run_ubatch
from harness.core.cpu.member import CpuMember
from harness.core.cpu.native_module import native
from harness.core.options import Options
from harness.core.program.op import Op, Program
from harness.core.program.rendezvous import Turn, waits
from harness.core.program.segments import Segment

At = tuple[int, tuple[int, int]]
LOGITS = -1
"""The buffer of logits, of which only a run knows where they lie."""


class ContextTogether:
    """See `harness.core.backend.Context`."""

    def __init__(self, program: Program, order: Sequence[Turn], members: Sequence[CpuMember], options: Options) -> None:
        self._n_vocab = program.n_vocab
        self._members = tuple(members)
        self._index = {member.script.device: index for index, member in enumerate(members)}
        self._values = {value.name: value for value in program.values}
        buffers = {member.script.device: member.buffers.of for member in members}
        with context_errors(options):
            self._native: Any = native().Ensemble([member.native for member in members])
            self._keep_logits(program)
            ends = dict.fromkeys(buffers, 0)
            for turn, needed in zip(order, waits(order, buffers), strict=True):
                self._add(turn, needed, ends)

    def run(self, tokens: NDArray[np.int32], position: int, logits_of: LogitsOf) -> NDArray[np.float32] | None:
        """One ubatch. Errors: SessionError for tokens that do not fit the context or the vocabulary."""
        return run_ubatch(self._native.run, tokens, position, logits_of, self._n_vocab)

    def expert_counts(self) -> NDArray[np.int64]:
        return largest_counts([member.expert_counts() for member in self._members])

    def close(self) -> None:
        """Stop the threads and free the caches."""
        self._native = None
        for member in self._members:
            member.close()

    def _keep_logits(self, program: Program) -> None:
        """Logits that another op reads are kept; the program's last ones go to the caller."""
        for op in program.ops:
            if op.name == "logits" and op is not program.ops[-1]:
                self._native.keep_logits(self._index[op.device], self._values[op.outputs[0]].columns)

    def _add(self, turn: Turn, needed: Mapping[str, int], ends: dict[str, int]) -> None:
        """The next step of a device; `ends` counts the ops each has got so far."""
        begin = self._index[turn.device], turn.step.all_tokens, [(self._index[d], n) for d, n in needed.items()]
        if isinstance(turn.step, Segment):
            first = ends[turn.device]
            ends[turn.device] += len(turn.ops)
            self._native.part(*begin, first, ends[turn.device])
            return
        self._add_crossing(begin, turn.step.op)

    def _add_crossing(self, begin: tuple[Any, ...], op: Op) -> None:
        inputs, (_, output) = [self._at(name) for name in op.inputs], self._at(op.outputs[0])
        if self._values[op.outputs[0]].kind == "act":
            self._native.gather_acts(*begin, inputs, output, op.params.get("n_slots", 1))
        elif op.name == "reduce":
            self._native.reduce(*begin, inputs, output, op.params["wire"], op.params["residual"])
        else:
            self._native.gather(*begin, inputs, output)

    def _at(self, name: str) -> At:
        """A value's device, and its buffer, or handle where it is of experts, and columns."""
        value = self._values[name]
        member = self._members[self._index[value.device]]
        if value.kind == "act":
            return self._index[value.device], (member.act(name), value.columns)
        buffer = LOGITS if value.kind == "logits" else member.buffers.of[name]
        return self._index[value.device], (buffer, value.columns)
