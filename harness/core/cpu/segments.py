"""One device's part of a program that several devices share: one native program, run segment by segment."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cpu.buffers import assign_buffers
from harness.core.cpu.compile import Compiler, Matrices
from harness.core.cpu.context import context_errors, counted, native_context
from harness.core.errors import SessionError
from harness.core.options import Options
from harness.core.program.op import Op
from harness.core.program.segments import Script

F32 = NDArray[np.float32]


class CpuSegments:
    """See `harness.core.backend.Segments`."""

    def __init__(self, script: Script, options: Options, matrices: Matrices, kernels: str) -> None:
        self._script = script
        self._values = {value.name: value for value in script.program.values}
        self._routing_of: dict[str, str] = {}
        self._ends = [0]
        lifetimes = script.lifetimes
        buffers = assign_buffers(lifetimes.ops, lifetimes.values)
        with context_errors(options):
            self._native: Any = native_context(kernels, script.program, options, buffers)
            self._compiler = Compiler(self._native, script.program, buffers, matrices, options)
            self._compiler.add_script(script)
            self._native.seal()
        for segment in script.segments:
            self._ends.append(self._ends[-1] + len(segment.ops))
            for op in segment.ops:
                self._note_routing(op)

    def run_segment(
        self, index: int, tokens: NDArray[np.int32], position: int, given: Mapping[str, F32]
    ) -> dict[str, F32]:
        segment, n = self._script.segments[index], len(tokens)
        for name, rows in given.items():
            self._write(name, np.ascontiguousarray(rows))
        made = {name: np.empty((n, self._values[name].columns), np.float32) for name in segment.outputs}
        logits = next((rows for name, rows in made.items() if self._values[name].kind == "logits"), None)
        span = self._ends[index], self._ends[index + 1]
        try:
            self._native.run_part(*span, np.ascontiguousarray(tokens, np.int32), position, logits)
        except ValueError as error:
            raise SessionError(f"{n} tokens at position {position} cannot be processed: {error}") from error
        for name, rows in made.items():
            self._read(name, rows)
        return made

    def expert_counts(self) -> NDArray[np.int64]:
        return counted(self._script.program, self._native, self._compiler)

    def close(self) -> None:
        self._native = None

    def _note_routing(self, op: Op) -> None:
        """Activations lie in the order of their experts, so whoever reads or writes them needs the routing."""
        if op.name == "moe_up_gate":
            self._routing_of[op.outputs[0]] = op.inputs[1]
        elif op.name == "moe_down":
            self._routing_of[op.inputs[0]] = op.inputs[1]

    def _write(self, name: str, rows: F32) -> None:
        if self._values[name].kind == "act":
            self._native.write_act(*self._handles(name), self._by_slot(name, rows))
        else:
            self._native.write(self._compiler.place(name), rows)

    def _read(self, name: str, rows: F32) -> None:
        kind = self._values[name].kind
        if kind == "act":
            self._native.read_act(*self._handles(name), self._by_slot(name, rows))
        elif kind == "f32":
            self._native.read(self._compiler.place(name), rows)

    def _handles(self, name: str) -> tuple[int, int]:
        return self._compiler.handle(name), self._compiler.handle(self._routing_of[name])

    def _by_slot(self, name: str, rows: F32) -> F32:
        top_k = self._values[self._routing_of[name]].columns
        return rows.reshape(len(rows) * top_k, -1)
