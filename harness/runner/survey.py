"""The machine of a run: what it is, and what it can do at most, measured before the first case in a worker."""

from collections.abc import Sequence
from dataclasses import replace

from harness.records.case import Case
from harness.records.record import Limits, RunInfo
from harness.runner.events import Event, Failed, Note, Phase, Surveyed
from harness.runner.interrupt import Interrupt
from harness.runner.job import Job
from harness.runner.patience import Patience, S
from harness.runner.progress import Progress
from harness.runner.supervise import supervise
from harness.telemetry.fingerprint import fingerprint

DEADLINE_NS = 120 * S


def surveyed(info: RunInfo, patience: Patience, interrupt: Interrupt, progress: Progress) -> RunInfo:
    """`info` with the fingerprint and limits of this machine."""
    info = replace(info, fingerprint=fingerprint())
    return replace(info, limits=limits_of(info.cases, patience, interrupt, progress))


def limits_of(cases: Sequence[Case], patience: Patience, interrupt: Interrupt, progress: Progress) -> Limits:
    """The limits at the thread counts of `cases` and of their cards; what cannot be measured is said.

    Fakes have no use for any.
    """
    if all(case.axes.engine == "fake" for case in cases):
        return Limits()
    found: list[Limits] = []
    why: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, Surveyed):
            found.append(event.limits)
        elif isinstance(event, Failed):
            why.append(event.message)
        elif isinstance(event, Note):
            progress.note(event.text)
        elif event == Phase("survey"):
            progress.note("Measuring what this machine can do at most.")

    devices = {device for case in cases for device in case.axes.device.split(",") if device.startswith("cuda:")}
    job = Job("survey", threads=tuple(sorted({case.axes.threads for case in cases})), devices=tuple(sorted(devices)))
    end = supervise(job, DEADLINE_NS, patience, interrupt, hear)
    if not found:
        reason = why[0] if why else end.why or f"exit code {end.code}"
        progress.note(f"No row will show its share of the machine's limits: {reason}")
    return found[0] if found else Limits()
