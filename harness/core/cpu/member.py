"""One device's part of a program that only CPU devices share: a native program that others read values from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cpu.buffers import assign_buffers
from harness.core.cpu.compile import Compiler, Matrices
from harness.core.cpu.context import context_errors, counted, native_context
from harness.core.options import Options
from harness.core.program.op import Op
from harness.core.program.segments import Script


class CpuMember:
    """`native` is the program, `buffers` says where its values lie. Its threads stay on the cores of who made it.

    `lifetimes`: the device's ops as its memory sees them. Errors: OutOfMemoryError, PlanError, UnsupportedError.
    """

    def __init__(
        self, script: Script, lifetimes: Sequence[Op], options: Options, matrices: Matrices, kernels: str
    ) -> None:
        self.script = script
        self.buffers = assign_buffers(lifetimes, script.program.values)
        with context_errors(options):
            self.native: Any = native_context(kernels, script.program, options, self.buffers)
            self._compiler = Compiler(self.native, script.program, self.buffers, matrices, options)
            self._compiler.add_script(script)
            self.native.seal()

    def act(self, name: str) -> int:
        """What the native part calls activations of experts."""
        return self._compiler.handle(name)

    def expert_counts(self) -> NDArray[np.int64]:
        """As `harness.core.backend.Segments`."""
        return counted(self.script.program, self.native, self._compiler)

    def close(self) -> None:
        """Stop the threads and free the cache, once no ensemble holds the program any more."""
        self.native = None
