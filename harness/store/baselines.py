"""What results are held against: a run somebody chose, or the nearest ancestor commit with data on such a machine.

The choice lies in baselines.json beside the runs, one per class of machine, written whole or not at all. An imported
run is only ever a baseline by choice.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import ResultError
from harness.store.commits import Repository
from harness.store.files import DISK, locked
from harness.store.sessions import RunEntry

FILE = "baselines.json"


@dataclass(frozen=True)
class Baseline:
    """A chosen run, since when, and why."""

    run: str
    set_at: str
    note: str = ""


@dataclass(frozen=True)
class Found:
    """The run to compare with, how it was found, in words, and whether somebody chose it."""

    run: RunEntry
    how: str
    pinned: bool = False


def chosen(results: Path) -> dict[str, Baseline]:
    """The chosen baseline of each class of machine. Errors: ResultError for a file that cannot be read."""
    path = results / FILE
    if not path.is_file():
        return {}
    try:
        return {str(name): Baseline(**entry) for name, entry in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        advice = "Mend it, or delete it to go back to the nearest ancestor."
        raise ResultError(f"{path}: cannot be read ({error}). {advice}") from error


def choose(results: Path, device_class: str, run: str | None, note: str = "") -> None:
    """Make `run` the baseline of a class of machine; None goes back to the nearest ancestor. Errors: ResultError."""
    with locked(results / f".{FILE}.lock", "", wait=True):
        entries = chosen(results)
        entries.pop(device_class, None)
        if run is not None:
            entries[device_class] = Baseline(run, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", note)
        text = json.dumps({name: asdict(entry) for name, entry in sorted(entries.items())}, indent=1)
        DISK.write_file(results / FILE, text.encode())


def baseline_of(
    run: RunEntry, runs: Sequence[RunEntry], choices: dict[str, Baseline], repository: Repository
) -> Found | None:
    """What `run` is held against by default. None where nothing earlier was measured on such a machine."""
    choice = choices.get(run.device_class)
    if choice is not None:
        found = next((entry for entry in runs if entry.run == choice.run), None)
        if found is None:
            raise ResultError(
                f"the baseline {choice.run} is not among the runs. `harness baseline set` chooses another."
            )
        return Found(found, f"chosen on {choice.set_at[:10]}", pinned=True)
    earlier = earlier_on_line(run, runs, repository)
    if not earlier:
        return None
    other_commit = [entry for entry in earlier if entry.commits[:1] != run.commits[:1]]
    if repository.resolve(run.commits[0]) if run.commits else "":
        return Found((other_commit or earlier)[-1], "nearest ancestor commit with results on such a machine")
    return Found(
        (other_commit or earlier)[-1], "newest earlier results on such a machine; git does not know the commit"
    )


def earlier_on_line(run: RunEntry, runs: Sequence[RunEntry], repository: Repository) -> tuple[RunEntry, ...]:
    """The nights before `run` on its class of machine: by commit where git knows every one, else by time.

    Left out are re-runs, imports, and runs at a commit git knows to be no ancestor: another branch's.
    """
    line = repository.ancestors(run.commits[0]) if run.commits else ()
    distance = {full: place for place, full in enumerate(line)}
    nights = [entry for entry in runs if _may_be_a_night_before(entry, run)]
    names = {entry.commits[0] for entry in nights if entry.commits} if line else set()
    full = {name: repository.resolve(name) for name in names}
    found = [(entry, full.get(entry.commits[0], "") if entry.commits else "") for entry in nights]
    kept = [(entry, commit) for entry, commit in found if not commit or commit in distance]
    if all(commit for _, commit in kept):
        kept.sort(key=lambda pair: (-distance[pair[1]], pair[0].started, pair[0].run))
    return tuple(entry for entry, _ in kept)


def _may_be_a_night_before(entry: RunEntry, run: RunEntry) -> bool:
    alike = entry.device_class == run.device_class
    return alike and entry.is_night and (entry.started, entry.run) < (run.started, run.run)
