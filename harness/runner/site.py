"""Where a run happens and who is told."""

from dataclasses import dataclass, field
from pathlib import Path

from harness.records.record import Record, RunInfo
from harness.runner.gather import with_run
from harness.runner.interrupt import Interrupt
from harness.runner.patience import Patience
from harness.runner.progress import Progress
from harness.store.files import Disk
from harness.store.runs import write_record


@dataclass(frozen=True)
class Site:
    """An open run: its folder and description, its disk, and who watches."""

    run_dir: Path
    info: RunInfo
    disk: Disk
    patience: Patience
    interrupt: Interrupt
    progress: Progress
    _noted: set[str] = field(default_factory=set)

    def keep(self, record: Record, resume_key: str) -> Record:
        """The record with what is the run's; it is on disk before anybody is told. Errors: RunError."""
        finished = with_run(record, self.info, resume_key)
        write_record(self.run_dir, finished, self.disk)
        self.progress.case_done(finished)
        return finished

    def note(self, text: str) -> None:
        """What every worker says is said once."""
        if text not in self._noted:
            self._noted.add(text)
            self.progress.note(text)
