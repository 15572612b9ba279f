"""A context: one native program with its KV cache, and the calls that run it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import LogitsOf
from harness.core.cpu.buffers import Buffers, assign_buffers
from harness.core.cpu.compile import Compiler, Matrices
from harness.core.cpu.native_module import native
from harness.core.errors import OutOfMemoryError, PlanError, SessionError
from harness.core.options import Options
from harness.core.program.op import Program


class CpuContext:
    """KV cache, scratch and threads for one stream of tokens; see `harness.core.backend.Context`.

    After the last layer's keys and values are stored only the tokens whose logits are wanted are carried on, so
    `expert_counts` of the last layer counts those alone.
    """

    def __init__(self, program: Program, options: Options, matrices: Matrices, kernels: str) -> None:
        buffers = assign_buffers(program.ops, program.values)
        self._program = program
        self._n_ctx, self._ubatch = options.n_ctx, options.ubatch
        with context_errors(options):
            self._native: Any = native_context(kernels, program, options, buffers)
            self._compiler = Compiler(self._native, program, buffers, matrices, options)
            for op in program.ops:
                self._compiler.add(op)
            self._native.seal()

    def run(self, tokens: NDArray[np.int32], position: int, logits_of: LogitsOf) -> NDArray[np.float32] | None:
        """One ubatch. Errors: SessionError for tokens that do not fit the context or the vocabulary."""
        return self._run(tokens, position, logits_of, None)

    def run_profiled(
        self, tokens: NDArray[np.int32], position: int, logits_of: LogitsOf
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.int64]]:
        """As `run`, and the time of every operation of the program in nanoseconds, [n_ops]."""
        op_ns = np.zeros(len(self._program.ops), np.int64)
        return self._run(tokens, position, logits_of, op_ns), op_ns

    def _run(
        self, tokens: NDArray[np.int32], position: int, logits_of: LogitsOf, op_ns: NDArray[np.int64] | None
    ) -> NDArray[np.float32] | None:
        return run_ubatch(self._native.run, tokens, position, logits_of, self._program.n_vocab, op_ns)

    def expert_counts(self) -> NDArray[np.int64]:
        """See `harness.core.backend.Context`."""
        return counted(self._program, self._native, self._compiler)

    def close(self) -> None:
        """Stop the threads and free the cache."""
        self._native = None


def native_context(kernels: str, program: Program, options: Options, buffers: Buffers) -> Any:
    """A native program without operations."""
    return native().Context(
        kernels=kernels,
        ubatch=options.ubatch,
        n_ctx=options.n_ctx,
        n_vocab=program.n_vocab,
        n_threads=options.threads or len(native().usable_cores()),
        buffers=list(buffers.columns),
    )


def run_ubatch(
    native_run: Any,
    tokens: NDArray[np.int32],
    position: int,
    logits_of: LogitsOf,
    n_vocab: int,
    *op_ns: NDArray[np.int64] | None,
) -> NDArray[np.float32] | None:
    """One native call for one ubatch. Errors: SessionError for tokens that do not fit the context or vocabulary."""
    n_outputs = {"none": 0, "last": 1, "all": len(tokens)}[logits_of]
    logits = np.empty((n_outputs, n_vocab), np.float32) if n_outputs else None
    try:
        native_run(np.ascontiguousarray(tokens, np.int32), position, logits, *op_ns)
    except ValueError as error:
        raise SessionError(f"{len(tokens)} tokens at position {position} cannot be processed: {error}") from error
    return logits


@contextmanager
def context_errors(options: Options) -> Iterator[None]:
    """Says in a sentence what the native part refused. Errors: OutOfMemoryError, PlanError."""
    try:
        yield
    except MemoryError as error:
        raise OutOfMemoryError(
            f"a context of {options.n_ctx:,} positions and ubatches of {options.ubatch:,} tokens needs more memory "
            "than the host has left; use a smaller n_ctx or ubatch"
        ) from error
    except (ValueError, IndexError) as error:
        raise PlanError(f"the CPU backend cannot run this program: {error}") from error


def counted(program: Program, context: Any, compiler: Compiler) -> NDArray[np.int64]:
    """[n_layer, n_expert] pairs that the program's routers counted."""
    n_layer = 1 + max((op.layer for op in program.ops), default=-1)
    n_expert = max((int(op.params["n_expert"]) for op in program.ops if op.name == "route"), default=0)
    counts = np.zeros((n_layer, n_expert), np.int64)
    for index, layer in enumerate(compiler.routed_layers):
        layer_counts = context.counts(index)
        counts[layer, : len(layer_counts)] = layer_counts
    return counts
