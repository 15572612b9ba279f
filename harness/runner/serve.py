"""A worker that stays: it loads its case once and takes one sample of whatever row it is told to, until told to end.

Two or more of them take turns, so that what drifts drifts under all. Between two requests it does nothing.
Requests, a line each: `take N_PROMPT N_GEN N_DEPTH` (0 0 0: load again), `ops N_PROMPT N_GEN N_DEPTH` (time every
operation of such a row once), `tell` (experts and peaks so far), `end`.
"""

import os

from harness.engines.protocol import KnowsCosts, TimesOps
from harness.engines.registry import build
from harness.engines.stream import context_tokens, token_stream
from harness.engines.tools import Tools
from harness.errors import EngineError
from harness.records.case import Case
from harness.records.record import Status
from harness.runner.casework import Bench
from harness.runner.events import Experts, OpsTimed, Peaks, Phase, Priced, Sampled
from harness.runner.job import LogitsTask
from harness.runner.link import Link
from harness.runner.measure import Measurement, Repetition
from harness.runner.sampling import take_sample
from harness.telemetry.proc import peak_rss_bytes

READY = "ready"
"""The phase in which a worker waits for its first request."""


def take_request(row: Measurement) -> bytes:
    """The line that asks for one sample of `row`."""
    return f"take {row.n_prompt} {row.n_gen} {row.n_depth}".encode()


def ops_request(row: Measurement) -> bytes:
    """The line that asks for the times of the operations of `row`."""
    return f"ops {row.n_prompt} {row.n_gen} {row.n_depth}".encode()


def serve(case: Case, logits: LogitsTask | None, link: Link) -> Status:
    """Load, prove the logits where asked, answer requests. Errors: those of the engine; EngineError for a request."""
    bench = Bench(case, build(case.axes.engine), link)
    n_vocab = bench.load().n_vocab
    if logits is not None and bench.prove(n_vocab, logits).verdict == "INVALID":
        return "invalid"
    stream = token_stream(case, n_vocab, context_tokens(case.test)).tolist()
    tools = bench.tools(threads=0)  # a sampler process per live worker would be a disturbance of its own
    link.emit(Phase(READY))
    desk = _Desk(bench, stream, tools)
    while (line := link.lines.get()) != b"end":
        desk.answer(line.decode())
    tools.probe.close()
    bench.engine.close()
    return "ok"


class _Desk:
    """Answers requests with the engine of `bench`."""

    def __init__(self, bench: Bench, stream: list[int], tools: Tools) -> None:
        self._bench, self._stream, self._tools = bench, stream, tools
        self._known: dict[Measurement, Repetition] = {}

    def answer(self, request: str) -> None:
        match request.split():
            case ["take", n_prompt, n_gen, n_depth]:
                self._take(Measurement(int(n_prompt), int(n_gen), int(n_depth)))
            case ["ops", n_prompt, n_gen, n_depth]:
                self._time_ops(int(n_prompt), int(n_gen), int(n_depth))
            case ["tell"]:
                self._bench.link.emit(Experts(self._bench.engine.expert_counts()))
                self._bench.link.emit(Peaks(peak_rss_bytes(os.getpid()), None))
            case _:
                raise EngineError(f"a serving worker has no answer to {request!r}.")

    def _take(self, row: Measurement) -> None:
        if row not in self._known:
            self._known[row] = self._bench.repetition(row, self._stream)
            self._price(row)
        sample = take_sample(self._known[row], self._tools)
        self._bench.link.emit(Sampled(row.n_prompt, row.n_gen, row.n_depth, sample))

    def _time_ops(self, n_prompt: int, n_gen: int, n_depth: int) -> None:
        engine = self._bench.engine
        if not isinstance(engine, TimesOps):
            name = self._bench.case.axes.engine
            raise EngineError(f"engine {name} does not tell the times of its operations; the core does.")
        self._bench.link.emit(OpsTimed(engine.op_times(n_prompt, n_gen, n_depth)))

    def _price(self, row: Measurement) -> None:
        engine = self._bench.engine
        if isinstance(engine, KnowsCosts) and row.n_prompt + row.n_gen:
            costs = engine.cost(row.n_prompt, row.n_gen, row.n_depth)
            self._bench.link.emit(Priced(row.n_prompt, row.n_gen, row.n_depth, *costs))
