"""A loaded model that can be asked: prefill, decode, logits. The core's public face.

Weights are read and merged once, when the session opens; contexts come and go on them.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import Backend, Context, LogitsOf, OfACard, ProfilesOps
from harness.core.backends import backend_for
from harness.core.errors import SessionError
from harness.core.gguf import open_gguf
from harness.core.loader import load_weights
from harness.core.models import Model, read_model
from harness.core.options import Options
from harness.core.paying import PROBE_TOKENS, pays_from, probe
from harness.core.plan import Plan, make_plan
from harness.core.plan.layout import kind_of
from harness.core.program.build import build_program
from harness.core.program.op import ANY_SIZE, Program

Logits = NDArray[np.float32]
Tokens = Sequence[int] | NDArray[np.integer]


class Session:
    """One model on its devices, and one context of `n_ctx` positions at a time."""

    def __init__(
        self, model: Model, plan: Plan, program: Program, backend: Backend, phase_ns: Mapping[str, int]
    ) -> None:
        self.model = model
        self.plan = plan
        self.program = program
        self.phase_ns: Mapping[str, int] = phase_ns
        self._backend = backend
        self._n_ctx = plan.options.n_ctx
        self._context: Context = backend.context(program, plan.options)
        self._position = 0

    @classmethod
    def open(cls, path: Path | str, options: Options) -> "Session":
        """Load the model to its first logits; `phase_ns` holds what each phase took.

        Errors: GgufError, UnsupportedError, PlanError, LoadError, DeviceError. Nothing half-loaded stays.
        """
        clock = _Clock()
        with ExitStack() as undo:
            file = undo.enter_context(open_gguf(path))
            clock.lap("open")
            model = read_model(file)
            clock.lap("metadata")
            plan = make_plan(model, options)
            program = build_program(model, plan)
            clock.lap("plan")
            backend = backend_for(options, plan.devices)
            undo.callback(backend.close)
            clock.split(load_weights(plan, file, backend))
            session = cls(model, plan, program, backend, clock.phase_ns)
            session.decode(0)
            clock.lap("first_token")
            if _measures(plan):
                session.lend_where_it_pays()
            session.new_context(options.n_ctx)
            undo.pop_all()
            if not plan.borrowed:
                file.close()
        return session

    @property
    def position(self) -> int:
        """Tokens in the KV cache."""
        return self._position

    @property
    def architecture(self) -> int | None:
        """The compute capability of the card that does everything, 86 for 8.6; None where there is no such card."""
        return self._backend.architecture if isinstance(self._backend, OfACard) else None

    @property
    def n_ctx(self) -> int:
        """Positions the KV cache has room for."""
        return self._n_ctx

    def reset(self) -> None:
        """Forget all tokens."""
        self._position = 0

    def rewind(self, position: int) -> None:
        """Forget the tokens from `position` on. Errors: SessionError when they were never there."""
        if not 0 <= position <= self._position:
            raise SessionError(f"cannot rewind to position {position}: the cache holds {self._position} tokens")
        self._position = position

    def new_context(self, n_ctx: int) -> None:
        """Replace the context by an empty one of `n_ctx` positions; the weights stay as they are."""
        self._context.close()
        self._n_ctx, self._position = n_ctx, 0
        self._context = self._backend.context(self.program, replace(self.plan.options, n_ctx=n_ctx))

    def lend_where_it_pays(self) -> None:
        """Measure from how many tokens on borrowing experts pays, and plan so from the next context on.

        Errors: SessionError where nothing is borrowed.
        """
        n_tokens = min(PROBE_TOKENS, self.plan.options.ubatch, self._n_ctx)
        self.program = build_program(self.model, replace(self.plan, lends_from=n_tokens))
        self.new_context(self._n_ctx)
        found = probe(self._context, n_tokens, self.model.n_vocab)
        router = next(op for op in self.program.ops if op.name == "route" and op.sizes != ANY_SIZE)
        extent = int(router.params["n_expert"]), int(router.params["top_k"])
        least = pays_from(found, *extent, self.plan.options.ubatch)
        self.plan = replace(self.plan, lends_from=least, lends_measured=True)
        self.program = build_program(self.model, self.plan)

    def prefill(self, tokens: Tokens, logits_of: LogitsOf = "last") -> Logits | None:
        """Process tokens in ubatches. Logits: [1, n_vocab] of the last, [T, n_vocab] of all, or None.

        Errors: SessionError for a full context or a token outside the vocabulary.
        """
        ids = self._checked(tokens)
        ubatch = self.plan.options.ubatch
        parts: list[Logits | None] = []
        for start in range(0, len(ids), ubatch):
            at_end = start + ubatch >= len(ids)
            wanted: LogitsOf = logits_of if at_end or logits_of == "all" else "none"
            part = ids[start : start + ubatch]
            parts.append(self._context.run(part, self._position, wanted))
            self._position += len(part)
        found = [part for part in parts if part is not None]
        return np.concatenate(found) if found else None

    def decode(self, token: int, *, logits: bool = True) -> Logits | None:
        """Process one token; its logits [n_vocab] unless they are not wanted. Errors: as `prefill`."""
        out = self.prefill([token], "last" if logits else "none")
        return None if out is None else out[0]

    def logits(self, tokens: Tokens, *, step: bool = False) -> Logits:
        """[T, n_vocab] from an empty cache, in ubatches or, with `step`, token by token. Errors: as `prefill`."""
        self.reset()
        ids = self._checked(tokens)
        spans = np.split(ids, len(ids)) if step else [ids]
        return np.concatenate([out for span in spans if (out := self.prefill(span, "all")) is not None])

    def op_times(self, tokens: Tokens, logits_of: LogitsOf = "last") -> NDArray[np.int64]:
        """Process one ubatch of tokens; [n_ops] nanoseconds, for every operation of `program` in order.

        Errors: as `prefill`; SessionError for more than a ubatch, or a device whose operations cannot be timed.
        """
        ids = self._checked(tokens)
        if len(ids) > self.plan.options.ubatch:
            raise SessionError(f"{len(ids)} tokens are more than one ubatch of {self.plan.options.ubatch}")
        if not isinstance(self._context, ProfilesOps):
            devices = ", ".join(self.plan.options.devices)
            raise SessionError(f"operations on {devices} cannot be timed one by one; one cpu or cuda device can")
        _, op_ns = self._context.run_profiled(ids, self._position, logits_of)
        self._position += len(ids)
        return op_ns

    def expert_counts(self) -> NDArray[np.int64]:
        """[n_layer, n_expert] (token, expert) pairs routed in this context; [n_layer, 0] for dense models."""
        return self._context.expert_counts()

    def close(self) -> None:
        """Free context and weights. Never raises for a session that is closed already."""
        self._context.close()
        self._backend.close()
        self.model.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _checked(self, tokens: Tokens) -> NDArray[np.int32]:
        ids = np.asarray(tokens, np.int64)
        if ids.ndim != 1 or not len(ids):
            raise SessionError("no tokens were given; at least one is needed")
        wrong = ids[(ids < 0) | (ids >= self.model.n_vocab)]
        if len(wrong):
            raise SessionError(f"token {wrong[0]} is not in the vocabulary of {self.model.n_vocab}")
        if self._position + len(ids) > self._n_ctx:
            raise SessionError(
                f"{len(ids)} tokens at position {self._position} do not fit into n_ctx {self._n_ctx}; "
                "reset the session or open it with a larger n_ctx"
            )
        return ids.astype(np.int32)


def _measures(plan: Plan) -> bool:
    """Whether it is measured from where borrowing pays: an emulated device's time means nothing."""
    options = plan.options
    auto = options.expert_copy == "auto" and plan.lends_from > 0 and min(options.ubatch, options.n_ctx) > 1
    return auto and all(kind_of(tensor.device) == "cuda" for tensor in plan.borrowed)


class _Clock:
    """Times phases one after another."""

    def __init__(self) -> None:
        self.phase_ns: dict[str, int] = {}
        self._last = time.perf_counter_ns()

    def lap(self, phase: str) -> None:
        """End `phase` here."""
        now = time.perf_counter_ns()
        self.phase_ns[phase] = now - self._last
        self._last = now

    def split(self, phases: Mapping[str, int]) -> None:
        """End phases that were timed elsewhere here; what they leave unexplained is the device's start."""
        self.lap("device")
        self.phase_ns["device"] -= sum(phases.values())
        self.phase_ns |= phases
