"""Where a run happens and who is told."""

from dataclasses import dataclass
from pathlib import Path

from harness.records.record import RunInfo
from harness.runner.interrupt import Interrupt
from harness.runner.patience import Patience
from harness.runner.progress import Progress
from harness.store.files import Disk


@dataclass(frozen=True)
class Site:
    """An open run: its folder and description, its disk, and who watches."""

    run_dir: Path
    info: RunInfo
    disk: Disk
    patience: Patience
    interrupt: Interrupt
    progress: Progress
