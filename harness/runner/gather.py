"""A worker's events, folded into the case's record. What arrived before a crash is in it."""

import signal
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from harness.records.case import Case
from harness.records.record import Equivalence, Failure, Record, RunInfo, Status
from harness.records.timing import LoadReport, Row, Sample
from harness.runner.events import Compared, Done, Event, Experts, Failed, Loaded, Peaks, RowDone, Sampled
from harness.runner.supervise import End
from harness.runner.trouble import header_trouble


@dataclass
class Gathered:
    """What a worker said so far. `open_row` collects the samples of a row that is not final yet."""

    loads: list[LoadReport] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    open_row: tuple[int, int, int] = (0, 0, 0)
    open_samples: list[Sample] = field(default_factory=list)
    experts: tuple[tuple[int, ...], ...] = ()
    equivalence: Equivalence = field(default_factory=Equivalence)
    rss_peak_bytes: int | None = None
    vram_peak_bytes: int | None = None
    last: Done | Failed | None = None

    def take(self, event: Event) -> None:
        """Fold one event in; those that carry no result are passed over."""
        match event:
            case Loaded(report=report):
                self.loads.append(report)
            case Sampled(n_prompt=n_prompt, n_gen=n_gen, n_depth=n_depth, sample=sample):
                self.open_row = (n_prompt, n_gen, n_depth)
                self.open_samples.append(sample)
            case RowDone(row=row):
                self.rows.append(row)
                self.open_samples.clear()
            case Experts(counts=counts):
                self.experts = counts
            case Compared(equivalence=equivalence):
                self.equivalence = equivalence
            case Peaks(rss_bytes=rss, vram_bytes=vram):
                self.rss_peak_bytes, self.vram_peak_bytes = rss, vram
            case Done() | Failed():
                self.last = event

    def all_rows(self, reason: str) -> tuple[Row, ...]:
        """The final rows, and the one in which the worker ended for `reason`."""
        if not self.open_samples:
            return tuple(self.rows)
        return (*self.rows, Row(*self.open_row, tuple(self.open_samples), stopped_by=reason))


def record_of(case: Case, gathered: Gathered, end: End, *, interrupted: bool) -> Record:
    """The record without what is the run's: machine, commit, resume key."""
    status, failure = _outcome(case, gathered, end, interrupted)
    load_ns = tuple(sum(report.phase_ns.values()) for report in gathered.loads)
    return Record(
        case=case,
        status=status,
        run="",
        test_time=datetime.now(UTC).isoformat(timespec="seconds"),
        rows=() if status == "invalid" else gathered.all_rows(status),
        load=_typical(gathered.loads, load_ns),
        load_ns=load_ns,
        ttft_ns=_ttft_ns(gathered.rows),
        rss_peak_bytes=gathered.rss_peak_bytes,
        vram_peak_bytes=gathered.vram_peak_bytes,
        expert_counts=gathered.experts,
        equivalence=gathered.equivalence,
        error=failure,
    )


def unmeasured(case: Case, status: Status, failure: Failure | None) -> Record:
    """The record of a case that no worker was started for."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Record(case=case, status=status, run="", test_time=now, error=failure)


def with_run(record: Record, info: RunInfo, resume_key: str) -> Record:
    """The record with what it shares with its run."""
    core, commit = record.case.axes.engine == "core", record.case.build or info.harness_commit
    return replace(
        record,
        run=info.run,
        limits=info.limits,
        fingerprint=info.fingerprint,
        harness_commit=commit,
        build_commit=commit if core or record.load is None else record.load.engine_version,
        resume_key=resume_key,
    )


def _outcome(case: Case, gathered: Gathered, end: End, interrupted: bool) -> tuple[Status, Failure | None]:
    last = gathered.last
    if end.cause == "exit" and end.code == 0 and isinstance(last, Done):
        return last.status, None
    if end.cause == "exit" and isinstance(last, Failed):
        return last.status, Failure(last.kind, last.message, end.phase, end.tail)
    if end.cause == "killed" or (interrupted and end.cause == "exit"):
        return "interrupted", Failure("Interrupted", "ended by the user before it was done.", end.phase, end.tail)
    if end.cause in ("over", "unkillable"):
        kind = "Timeout" if end.cause == "over" else "Unkillable"
        return "timeout", Failure(kind, _sentence(end), end.phase, end.tail)
    return "crashed", Failure("Crash", _lost_file(case, end) or _sentence(end), end.phase, end.tail)


def _lost_file(case: Case, end: End) -> str:
    """Who computes from a mapped file gets SIGBUS where the file has ended meanwhile; the sentence names the tensor."""
    if end.code != -signal.SIGBUS or case.model.path is None:
        return ""
    trouble = header_trouble(case.model.path)
    return (
        f"the model's file became shorter while it was mapped (SIGBUS in phase {end.phase}): {trouble}"
        if trouble
        else ""
    )


def _sentence(end: End) -> str:
    if end.cause == "over":
        return f"the worker was ended: {end.why}."
    if end.cause == "unkillable":
        return f"{end.why}; even SIGKILL did not end the worker, so its device is left alone from now on."
    if end.code is not None and end.code < 0:
        name = signal.Signals(-end.code).name
        hint = " The system may have been out of memory." if name == "SIGKILL" else ""
        return f"the worker was ended by {name} in phase {end.phase}.{hint}"
    return f"the worker ended with exit code {end.code} in phase {end.phase}, without saying why."


def _typical(loads: list[LoadReport], load_ns: tuple[int, ...]) -> LoadReport | None:
    """The report of the median load."""
    if not loads:
        return None
    order = sorted(range(len(loads)), key=load_ns.__getitem__)
    return loads[order[len(order) // 2]]


def _ttft_ns(rows: list[Row]) -> int | None:
    """Time to the first token: of a prompt from an empty cache, whose last logits choose it; the median."""
    for row in rows:
        times = sorted(sample.total_ns - sum(sample.token_ns) for sample in row.counted)
        if row.n_prompt and row.n_depth == 0 and times:
            return times[len(times) // 2]
    return None
