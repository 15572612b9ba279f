"""An engine around any libllama: it is timed as llama-bench times it; a library's own quirks live in its `Library`.

PP: from the first llama_decode to the return of llama_synchronize, in batches of `batch` tokens, logits of the last.
TG: llama_decode and llama_synchronize per token. Filling the cache up to a depth and rewinding it are not timed.
"""

import ctypes
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.engines.stream import context_tokens, token_stream
from harness.errors import EngineError
from harness.records.axes import Axes
from harness.records.case import Case
from harness.records.timing import LoadReport, Timing

KV_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 8, "bf16": 30}
"""ggml's numbers of the types a KV cache may have."""
FIXED_AXES = (
    "split_mode",
    "tensor_split",
    "main_gpu",
    "override_tensor",
    "cpu_moe",
    "n_cpu_moe",
    "expert_copy",
    "merge_up_gate_shared",
)
"""Axes a peer's CPU build has nothing to do with: a case that sets one is refused, not measured without it."""


@dataclass(frozen=True)
class Facts:
    """What a library says about a loaded model."""

    description: str
    size_bytes: int
    n_params: int
    n_layers: int
    n_vocab: int


class Library(Protocol):
    """One libllama. Models and contexts are addresses; 0 or None means that it refused."""

    name: str
    version: str
    notes: tuple[str, ...]

    def load(self, path: str, axes: Axes) -> int | None: ...
    def facts(self, model: int) -> Facts: ...
    def context(self, model: int, axes: Axes, n_ctx: int, threads: int) -> int | None: ...
    def batch(self, tokens: Any, first: int, count: int, position: int, *, all_logits: bool) -> Any:
        """A batch over `count` of the int32 array `tokens` from `first` on, entering at `position`."""
        ...

    def decode(self, context: int, batch: Any) -> int: ...
    def synchronize(self, context: int) -> None: ...
    def rewind(self, context: int, filled: int, depth: int) -> int:
        """Cut a cache of `filled` tokens to at most `depth`; returns how many it then holds."""
        ...

    def keep(self, context: int, depth: int) -> None:
        """Remember the cache as it is, if that is how this library rewinds."""
        ...

    def logits(self, context: int, count: int, n_vocab: int) -> NDArray[np.float32]: ...
    def free(self, model: int | None, context: int | None) -> None: ...
    def last_words(self) -> str:
        """The end of its log."""
        ...


class LibllamaEngine:
    """`harness.engines.protocol.Engine` on top of a `Library`. One model, one context, for the life of the case."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._model: int | None = None
        self._context: int | None = None
        self._filled = 0

    def load(self, case: Case) -> LoadReport:
        """Load, make the context, and decode one token: with mmap, libllama has populated the pages by then."""
        refuse(self._library.name, case.axes)
        self._batch, threads = case.axes.batch, case.axes.threads or len(os.sched_getaffinity(0))
        marks = [time.perf_counter_ns()]
        self._model = self._made(self._library.load(case.model.path or "", case.axes), f"load {case.model.path}")
        marks.append(time.perf_counter_ns())
        n_ctx = -(-context_tokens(case.test) // 256) * 256
        self._context = self._made(self._library.context(self._model, case.axes, n_ctx, threads), "make a context")
        marks.append(time.perf_counter_ns())
        facts = self._facts = self._library.facts(self._model)
        if case.axes.layers is not None and case.axes.layers != facts.n_layers:
            raise EngineError(
                f"{self._library.name} runs all {facts.n_layers} layers of a file, not {case.axes.layers}."
            )
        self._stream = array(token_stream(case, facts.n_vocab, n_ctx))
        self._run(self._stream, 0, 1, 0)
        marks.append(time.perf_counter_ns())
        phases = dict(zip(("read", "place", "first_token"), np.diff(marks).tolist(), strict=True))
        return LoadReport(
            phase_ns=phases,
            model_type=facts.description,
            model_size=facts.size_bytes,
            model_n_params=facts.n_params,
            n_layers=facts.n_layers,
            n_vocab=facts.n_vocab,
            plan={"threads": threads, "notes": list(self._library.notes)},
            devices=("cpu:0",),
            engine_version=self._library.version,
        )

    def prefill(self, tokens: Sequence[int], depth: int) -> Timing:
        """All of `tokens` at once, in batches."""
        self.fill(depth)
        inputs = array(tokens)
        start = time.perf_counter_ns()
        self._run(inputs, 0, len(tokens), depth)
        return Timing(len(tokens), time.perf_counter_ns() - start)

    def decode(self, tokens: Sequence[int], depth: int) -> Timing:
        """One token after the other, each to its synchronised end."""
        self.fill(depth)
        inputs, context, library = array(tokens), self._here(), self._library
        batches = [library.batch(inputs, i, 1, depth + i, all_logits=False) for i in range(len(tokens))]
        marks = [time.perf_counter_ns()]
        for batch in batches:
            self._decode(context, batch)
            library.synchronize(context)
            marks.append(time.perf_counter_ns())
        self._filled = depth + len(tokens)
        return Timing(len(tokens), marks[-1] - marks[0], tuple(np.diff(marks).tolist()))

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Of every position, from an empty cache, in batches."""
        self.fill(0)
        inputs, context, n_vocab = array(tokens), self._here(), self._facts.n_vocab
        parts = []
        for first in range(0, len(tokens), self._batch):
            count = min(self._batch, len(tokens) - first)
            self._decode(context, self._library.batch(inputs, first, count, first, all_logits=True))
            self._library.synchronize(context)
            parts.append(self._library.logits(context, count, n_vocab).copy())
        self._filled = len(tokens)
        return np.concatenate(parts)

    def expert_counts(self) -> tuple[tuple[int, ...], ...]:
        """No libllama tells."""
        return ()

    def close(self) -> None:
        """Free context and model. Never raises."""
        self._library.free(self._model, self._context)
        self._model = self._context = None
        self._filled = 0

    def fill(self, depth: int) -> None:
        """The cache holds exactly the first `depth` tokens of the case's stream; untimed."""
        context = self._here()
        held = self._library.rewind(context, self._filled, depth)
        if held < depth:
            self._run(self._stream, held, depth - held, held)
            self._library.keep(context, depth)
        self._filled = depth

    def _run(self, tokens: Any, first: int, count: int, position: int) -> None:
        """Decode `count` of `tokens` from `first` on, in batches, to the synchronised end."""
        context, library = self._here(), self._library
        for start in range(0, count, self._batch):
            size = min(self._batch, count - start)
            self._decode(context, library.batch(tokens, first + start, size, position + start, all_logits=False))
        library.synchronize(context)
        self._filled = position + count

    def _decode(self, context: int, batch: Any) -> None:
        if code := self._library.decode(context, batch):
            raise EngineError(f"{self._library.name}: llama_decode returned {code}. {self._library.last_words()}")

    def _here(self) -> int:
        if self._context is None:
            raise EngineError(f"{self._library.name}: nothing is loaded.")
        return self._context

    def _made(self, address: int | None, what: str) -> int:
        if not address:
            self.close()
            raise EngineError(f"{self._library.name} could not {what}. {self._library.last_words()}")
        return address


def refuse(name: str, axes: Axes) -> None:
    """Errors: EngineError if `axes` ask for what no peer's CPU build can do."""
    plain = Axes()
    if not axes.device.startswith("cpu"):
        raise EngineError(f"{name} runs on the CPU only (its wheel has no GPU code), not on {axes.device}.")
    for axis in FIXED_AXES:
        if getattr(axes, axis) != getattr(plain, axis):
            raise EngineError(f"{name} cannot do {axis}: {getattr(axes, axis)}; leave it out for this engine.")
    for axis in ("type_k", "type_v"):
        if getattr(axes, axis) not in KV_TYPES:
            raise EngineError(f"{name}: {axis} {getattr(axes, axis)!r} is none of {', '.join(KV_TYPES)}.")


def array(tokens: Sequence[int] | NDArray[np.int32]) -> Any:
    """A C array of int32."""
    return (ctypes.c_int32 * len(tokens))(*map(int, tokens))


class LogTail:
    """The last lines a library logged; a C callback that must live as long as the library is used."""

    TYPE = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)

    def __init__(self, kept: int = 6) -> None:
        self._lines: list[str] = []
        self._kept = kept
        self.callback = self.TYPE(self._hear)

    def _hear(self, _level: int, text: bytes | None, _user: int | None) -> None:
        line = (text or b"").decode(errors="replace").strip(" .\n")
        if line:
            self._lines = [*self._lines[1 - self._kept :], line]

    def text(self) -> str:
        """The lines as one."""
        return f"It said last: {' | '.join(self._lines)}" if self._lines else "It said nothing."
