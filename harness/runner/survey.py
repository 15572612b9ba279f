"""The machine of a run: what it is, and what it can do at most, measured before the first case in a worker."""

from dataclasses import replace

from harness.records.record import Limits, RunInfo
from harness.runner.events import Event, Failed, Phase, Surveyed
from harness.runner.interrupt import Interrupt
from harness.runner.job import Job
from harness.runner.patience import Patience, S
from harness.runner.progress import Progress
from harness.runner.supervise import supervise
from harness.telemetry.fingerprint import fingerprint

DEADLINE_NS = 120 * S


def surveyed(info: RunInfo, patience: Patience, interrupt: Interrupt, progress: Progress) -> RunInfo:
    """`info` with the fingerprint and limits of this machine; a run of fakes has no use for limits."""
    info = replace(info, fingerprint=fingerprint())
    if all(case.axes.engine == "fake" for case in info.cases):
        return info
    found: list[Limits] = []
    why: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, Surveyed):
            found.append(event.limits)
        elif isinstance(event, Failed):
            why.append(event.message)
        elif event == Phase("survey"):
            progress.note("Measuring what this machine can do at most.")

    end = supervise(Job("survey"), DEADLINE_NS, patience, interrupt, hear)
    if not found:
        reason = why[0] if why else end.why or f"exit code {end.code}"
        progress.note(f"No row will show its share of the machine's limits: {reason}")
    return replace(info, limits=found[0] if found else Limits())
