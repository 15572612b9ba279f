"""A worker that is none: it answers at once in this process. For what concerns folders and order, not processes."""

from collections.abc import Callable

from harness.records.timing import LoadReport, Row, Sample
from harness.runner.events import Done, Event, Loaded, Phase, RowDone
from harness.runner.job import Job
from harness.runner.supervise import End


def supervise(job: Job, deadline_ns: int, patience: object, interrupt: object, hear: Callable[[Event], None]) -> End:
    assert job.case is not None
    n = len(job.case.case_id) + job.case.test.n_prompt
    hear(Phase("load"))
    hear(Loaded(LoadReport({"open": n}, "instant", n, n, 1, 8)))
    hear(RowDone(Row(n, 0, 0, (Sample(0, 1000 + n, n),), "precision")))
    hear(Done("ok"))
    return End("exit", 0, "close", "", "")
