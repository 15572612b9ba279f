"""What a worker does with a case: load, compare logits, then sample row after row. It knows no engine by name."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.engines.protocol import Engine, KnowsCosts
from harness.engines.registry import build
from harness.engines.stream import context_tokens, token_stream
from harness.engines.tools import BringsTools, Tools
from harness.records.case import Case
from harness.records.record import Equivalence, Status
from harness.records.timing import LoadReport, Row, Sample, Timing
from harness.runner.equivalence import check_logits
from harness.runner.events import Compared, Experts, Loaded, Note, Peaks, Phase, RowDone, Sampled
from harness.runner.job import LogitsTask
from harness.runner.link import Link
from harness.runner.measure import Measurement, Repetition, measurements
from harness.runner.pagecache import State, bring_about
from harness.runner.sampling import Sampler, Series
from harness.telemetry.proc import peak_rss_bytes
from harness.telemetry.watch import Watch


def measure_case(case: Case, logits: LogitsTask | None, link: Link) -> Status:
    """Measure `case` and report everything through `link`. Errors: those of the engine."""
    bench = Bench(case, build(case.axes.engine), link)
    status = bench.measure_loads() if case.test.kind == "load" else bench.measure_rows(logits)
    link.emit(Phase("close"))
    bench.engine.close()
    return status


@dataclass(frozen=True)
class Bench:
    """One engine, its case, and the line to the parent."""

    case: Case
    engine: Engine
    link: Link

    def measure_rows(self, logits: LogitsTask | None) -> Status:
        """Load once, prove the logits where asked, sample every row of the test."""
        report = self.load()
        if logits is not None and self.prove(report.n_vocab, logits).verdict == "INVALID":
            return "invalid"
        stream = token_stream(self.case, report.n_vocab, context_tokens(self.case.test)).tolist()
        status = self._sample_all(measurements(self.case.test), stream)
        self.link.emit(Experts(self.engine.expert_counts()))
        return status

    def measure_loads(self) -> Status:
        """Load again and again; the time is the sum of the load's phases."""
        tools = self.tools(self.case.axes.threads)
        row = Measurement(0, 0, 0)
        self._sample_row(row, self.repetition(row, ()), tools, self.case.sampling.time_budget_ns)
        tools.probe.close()
        return "interrupted" if self.link.stop_wanted() else "ok"

    def load(self) -> LoadReport:
        """Load the model, its file cold or warm as the case says, and report it."""
        if self.case.model.path is not None:
            state: State = "cold" if self.case.axes.cache == "cold" else "warm"
            if note := bring_about(state, Path(self.case.model.path)):
                self.link.emit(Note(note))
        self.link.emit(Phase("load"))
        report = self.engine.load(self.case)
        self.link.emit(Loaded(report))
        return report

    def prove(self, n_vocab: int, task: LogitsTask) -> Equivalence:
        """The pass before timing."""
        self.link.emit(Phase("equivalence"))
        found = check_logits(self.engine, self.case, n_vocab, task)
        self.link.emit(Compared(found))
        return found

    def repetition(self, row: Measurement, stream: Sequence[int]) -> Repetition:
        """What one sample of `row` takes; the row of no tokens is loading again."""
        if row == Measurement(0, 0, 0):
            return Repetition(self._unload, self._load_timed)
        return row.repetition(self.engine, stream)

    def _unload(self) -> bool:
        self.engine.close()
        return True

    def _load_timed(self) -> Timing:
        return Timing(0, sum(self.load().phase_ns.values()))

    def _sample_all(self, rows: tuple[Measurement, ...], stream: list[int]) -> Status:
        tools = self.tools(self.case.axes.threads)
        end = tools.clock() + self.case.sampling.time_budget_ns
        for index, row in enumerate(rows):
            budget_ns = max(0, end - tools.clock()) // (len(rows) - index)
            self.link.emit(Phase(row.name))
            self._sample_row(row, self.repetition(row, stream), tools, budget_ns)
            if self.link.stop_wanted():
                return "interrupted"
        return "ok"

    def _sample_row(self, row: Measurement, repetition: Repetition, tools: Tools, budget_ns: int) -> None:
        def report(sample: Sample) -> None:
            self.link.emit(Sampled(row.n_prompt, row.n_gen, row.n_depth, sample))

        taken = Sampler(repetition, tools, self.case.sampling, budget_ns, report, self.link.stop_wanted).run()
        self.link.emit(RowDone(self._row(row, taken)))
        self.link.emit(Peaks(peak_rss_bytes(os.getpid()), None))

    def _row(self, row: Measurement, taken: Series) -> Row:
        macs = n_bytes = None
        if isinstance(self.engine, KnowsCosts) and row.n_prompt + row.n_gen:
            macs, n_bytes = self.engine.cost(row.n_prompt, row.n_gen, row.n_depth)
        return Row(row.n_prompt, row.n_gen, row.n_depth, taken.samples, taken.stopped_by, macs, n_bytes)

    def tools(self, threads: int) -> Tools:
        """The engine's own clock and probe if it has any, else the machine's; our parent's work is not foreign.

        `threads` decides whether a sampler process runs beside the samples.
        """
        own = self.engine.tools(self.case) if isinstance(self.engine, BringsTools) else None
        if own is not None:
            return own
        watch = Watch(self.case.axes.device, threads, (os.getpid(), os.getppid()))
        for note in watch.notes:
            self.link.emit(Note(note))
        return Tools(time.monotonic_ns, watch)
