"""The process a case lives in: `python -m harness.runner.worker FD`, one job as JSON on standard input, events on FD.

Whatever happens in here costs this job alone: the parent knows engines by name only.
"""

import faulthandler
import os
import resource
import signal
import sys
from pathlib import Path

from harness.core.errors import OutOfMemoryError
from harness.errors import EXPECTED, EngineError
from harness.records.case import Case, ModelRef
from harness.records.json import from_json
from harness.records.record import Status
from harness.runner.events import Done, Failed, Phase
from harness.runner.job import Job
from harness.runner.link import Link

ORPHAN_GRACE_S = 60
"""A worker that cannot even notice its parent's death is ended by the kernel this long after the case's deadline."""


def main() -> None:
    """Do the job on standard input; the exit code is 0 if its end was reported, whatever it was."""
    link = Link(int(sys.argv[1]))
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    job = from_json(Job, link.lines.get())
    if job.case is not None:
        signal.alarm(job.case.sampling.deadline_ns // 1_000_000_000 + ORPHAN_GRACE_S)
    try:
        link.emit(Phase("start"))
        link.emit(Done(_do(job, link)))
    except (*EXPECTED, MemoryError, OSError) as error:
        link.emit(_failed(error))
    # Any other exception is a defect: its traceback goes to stderr, which the parent keeps, and the exit code is 1.
    sys.stdout.flush()
    os._exit(0)  # no destructor of an engine may undo a result that was reported


def _do(job: Job, link: Link) -> Status:
    match job:
        case Job(kind="case", case=Case() as case):
            from harness.runner.casework import measure_case  # noqa: PLC0415  a job imports what it needs

            return measure_case(case, job.logits, link)
        case Job(kind="serve", case=Case() as case):
            from harness.runner.serve import serve  # noqa: PLC0415

            return serve(case, job.logits, link)
        case Job(kind="prepare", model=ModelRef() as model):
            from harness.runner.prepare import make_file  # noqa: PLC0415

            link.emit(Phase("prepare"))
            make_file(model, Path(job.target))
            return "ok"
        case Job(kind="survey"):
            from harness.runner.surveying import survey  # noqa: PLC0415

            return survey(job.threads, job.devices, link)
    raise EngineError(f"a worker cannot do the job {job.kind!r} as given.")


def _failed(error: Exception) -> Failed:
    status: Status = "oom" if isinstance(error, (OutOfMemoryError, MemoryError)) else "failed"
    return Failed(
        status, type(error).__name__, str(error) or "the host is out of memory; a smaller model or context may fit."
    )


if __name__ == "__main__":
    main()
