"""`harness profile`: where the time of a case's rows goes. A pass of its own: its times enter no record."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.config.types import Expansion
from harness.engines.protocol import Engine, TimesOps
from harness.engines.registry import build
from harness.engines.stream import context_tokens, token_stream
from harness.errors import EngineError, RunError
from harness.records.case import Case
from harness.records.profile import CaseProfile, OpTime, RowProfile
from harness.records.record import Limits, Status
from harness.records.timing import Timing
from harness.runner.casework import Bench
from harness.runner.events import Event, Failed, Phase, Profiled
from harness.runner.interrupt import Interrupt
from harness.runner.job import Job
from harness.runner.link import Link
from harness.runner.measure import Measurement, measurements
from harness.runner.models import ModelFiles
from harness.runner.patience import Patience
from harness.runner.progress import Progress
from harness.runner.supervise import supervise
from harness.runner.survey import limits_of

RUNS = 5
LONGEST_NS = 20_000_000_000
"""Of one row; a long row is run less often, but twice at least: the first run warms up."""


def profile_cases(
    expansion: Expansion, progress: Progress, patience: Patience | None = None
) -> tuple[tuple[CaseProfile, ...], Limits]:
    """Profile every case in a worker of its own, and survey the machine first. Errors: RunError for a worker's."""
    interrupt, patience = Interrupt(), patience or Patience()
    with interrupt.caught():
        limits = limits_of(expansion.cases, patience, interrupt, progress)
        files = ModelFiles(patience, interrupt, progress)
        found = []
        for index, case in enumerate(expansion.cases, 1):
            if interrupt.wanted:
                break
            progress.case_started(case, index, len(expansion.cases), None)
            found.append(CaseProfile(case, _profiled(files.with_file(case), patience, interrupt, progress)))
    if interrupt.wanted:
        raise KeyboardInterrupt
    return tuple(found), limits


def _profiled(case: Case, patience: Patience, interrupt: Interrupt, progress: Progress) -> tuple[RowProfile, ...]:
    rows: list[RowProfile] = []
    why: list[str] = []

    def hear(event: Event) -> None:
        match event:
            case Profiled(profile=profile):
                rows.append(profile)
            case Failed(message=message):
                why.append(message)
            case Phase(name=name):
                progress.phase(case, name)

    end = supervise(Job("profile", case), case.sampling.deadline_ns, patience, interrupt, hear)
    if not interrupt.wanted and (why or end.cause != "exit" or end.code != 0):
        raise RunError(f"{case.case_id} cannot be profiled: {why[0] if why else end.why or f'exit code {end.code}'}")
    return tuple(rows)


def profile_case(case: Case, link: Link) -> Status:
    """The worker's part. Errors: EngineError if the engine or its device cannot time operations."""
    bench = Bench(case, build(case.axes.engine), link)
    n_vocab = bench.load().n_vocab
    if not isinstance(bench.engine, TimesOps):
        raise EngineError(f"engine {case.axes.engine} does not tell the times of its operations; the core does.")
    stream = token_stream(case, n_vocab, context_tokens(case.test)).tolist()
    for row in measurements(case.test):
        link.emit(Phase(row.name))
        link.emit(Profiled(profile_row(bench.engine, bench.engine, row, stream)))
        if link.stop_wanted():
            return "interrupted"
    bench.engine.close()
    return "ok"


def profile_row(engine: Engine, timer: TimesOps, row: Measurement, stream: Sequence[int]) -> RowProfile:
    """Up to RUNS repetitions with and without timed operations, in turns, the first of each left out."""
    plain = row.repetition(engine, stream)
    totals: list[Timing] = []
    timed: list[tuple[OpTime, ...]] = []
    end_ns = time.monotonic_ns() + LONGEST_NS
    while len(timed) < 2 or (len(timed) <= RUNS and time.monotonic_ns() < end_ns):
        plain.prepare()
        totals.append(plain.take())
        timed.append(timer.op_times(row.n_prompt, row.n_gen, row.n_depth))
    medians = np.median([[op.ns for op in ops] for ops in timed[1:]], axis=0)
    return RowProfile(
        test=row.name,
        n_tokens=row.n_prompt + row.n_gen,
        n_runs=len(timed) - 1,
        plain_ns=int(np.median([timing.total_ns for timing in totals[1:]])),
        ops=tuple(replace(op, ns=int(ns)) for op, ns in zip(timed[0], medians, strict=True)),
    )
