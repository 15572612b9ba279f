"""Run folders: `run.json`, one `case-*.json` per case, and a `profile-*.json` beside it where operations were timed.

A record that `write_record` returned from survives a kill.

The folder's records are the truth; whatever else is kept about runs can be rebuilt from them.
"""

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from harness.errors import ResultError, RunError
from harness.records.json import from_json, to_json
from harness.records.profile import PROFILE_SCHEMA, CaseProfile
from harness.records.record import SCHEMA, Record, RunInfo
from harness.store.files import DISK, Disk

INFO = "run.json"
LOCK = ".lock"
RERUN_NOTE = "rerun of"
"""`RunInfo.notes` has this where a run was made to look at another run's suspects again."""

SCHEMAS = {Record: SCHEMA, RunInfo: SCHEMA, CaseProfile: PROFILE_SCHEMA}

T = TypeVar("T", Record, RunInfo, CaseProfile)


@dataclass(frozen=True)
class Run:
    """A run as it lies on disk: records in the order of `info.cases`, cases without one left out."""

    path: Path
    info: RunInfo
    records: tuple[Record, ...]
    profiles: tuple[CaseProfile, ...] = ()


def create_run(results: Path, config_name: str, disk: Disk = DISK) -> Path:
    """A new, empty folder `<date>-<name>-<hex>` below `results`. Errors: RunError where that cannot be."""
    name = f"{datetime.now(UTC):%Y-%m-%d}-{slug(config_name) or 'run'}-{secrets.token_hex(3)}"
    try:
        results.mkdir(parents=True, exist_ok=True)
        (results / name).mkdir()
        disk.sync_folder(results)
    except OSError as error:
        why = f"no run folder can be made here ({error.strerror})"
        raise RunError(f"{results}: {why}. Choose another with --results.") from error
    return results / name


def write_info(run_dir: Path, info: RunInfo, disk: Disk = DISK) -> None:
    """Write run.json. Errors: RunError."""
    disk.write_file(run_dir / INFO, to_json(info, indent=1).encode())


def write_record(run_dir: Path, record: Record, disk: Disk = DISK) -> Path:
    """Write one case's record; durable on return. Errors: RunError."""
    path = record_path(run_dir, record.case.case_id)
    disk.write_file(path, to_json(record, indent=1).encode())
    return path


def write_profile(run_dir: Path, profile: CaseProfile, disk: Disk = DISK) -> Path:
    """Write where a case's time goes, beside its record; durable on return. Errors: RunError."""
    path = record_path(run_dir, profile.case.case_id, "profile")
    disk.write_file(path, to_json(profile).encode())
    return path


def record_path(run_dir: Path, case_id: str, kind: str = "case") -> Path:
    """Where the record of `case_id` lies; distinct ids never share a file, whatever characters they hold."""
    name = slug(case_id)
    if name != case_id:
        name = f"{name}-{hashlib.sha256(case_id.encode()).hexdigest()[:12]}"
    return run_dir / f"{kind}-{name}.json"


def read_info(run_dir: Path) -> RunInfo:
    """Errors: ResultError."""
    return _read(RunInfo, run_dir / INFO)


def read_record(path: Path) -> Record:
    """Errors: ResultError naming the file and what does not fit."""
    return _read(Record, path)


def read_run(run: str | Path, results: Path = Path("results")) -> Run:
    """The run in folder `run`, or of that name below `results`. Errors: ResultError."""
    path = find_run(run, results)
    info = read_info(path)
    found = {record.case.case_id: record for record in map(read_record, sorted(path.glob("case-*.json")))}
    order = {case.case_id: index for index, case in enumerate(info.cases)}
    records = sorted(found.values(), key=lambda record: order.get(record.case.case_id, len(order)))
    return Run(path, info, tuple(records), read_profiles(path, info))


def read_profiles(run_dir: Path, info: RunInfo) -> tuple[CaseProfile, ...]:
    """The profiles in a run's folder, in the order of `info.cases`. Errors: ResultError."""
    order = {case.case_id: index for index, case in enumerate(info.cases)}
    found = [_read(CaseProfile, path) for path in sorted(run_dir.glob("profile-*.json"))]
    return tuple(sorted(found, key=lambda profile: order.get(profile.case.case_id, len(order))))


def find_run(run: str | Path, results: Path = Path("results")) -> Path:
    """The folder meant by a path, a name below `results` or a unique part of such a name. Errors: ResultError."""
    for path in (Path(run), results / run):
        if (path / INFO).is_file():
            return path
    near = sorted(path.parent.name for path in results.glob(f"*/{INFO}") if str(run) in path.parent.name)
    if len(near) == 1:
        return results / near[0]
    why = f"could be {', '.join(near)}" if near else f"is no run folder, here or below {results}"
    raise ResultError(f"{run}: {why}. `harness show` lists the runs there are.")


def list_runs(results: Path = Path("results")) -> tuple[RunInfo, ...]:
    """Every run below `results`, oldest first; folders whose run.json cannot be read are left out."""
    found = []
    for path in results.glob(f"*/{INFO}"):
        try:
            found.append(read_info(path.parent))
        except ResultError:
            continue
    return tuple(sorted(found, key=lambda info: (info.started, info.run)))


def slug(text: str) -> str:
    """`text` as part of a file name: at most 80 of a-z, 0-9, dot, dash and underscore."""
    return re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-.")[:80]


def _read(kind: type[T], path: Path) -> T:
    try:
        text = path.read_bytes()
        _refuse_newer(path, text, SCHEMAS[kind])
        return from_json(kind, text)
    except OSError as error:
        raise ResultError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValueError as error:  # pydantic's error is one
        raise ResultError(f"{path}: is not a {kind.__name__} this version knows: {error}") from error


def _refuse_newer(path: Path, text: bytes, known: int) -> None:
    """Unknown fields are dropped on reading, so a newer schema would lose data in silence."""
    found = json.loads(text)
    schema = found.get("schema") if isinstance(found, dict) else None
    if isinstance(schema, int) and schema > known:
        why = f"written by a newer harness (schema {schema}, this one reads {known})"
        raise ResultError(f"{path}: {why}. Update to read it.")
