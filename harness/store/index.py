"""The index of all results: follows the records on disk, and can always be made anew from them.

A record is in the index whole or not at all; indexing it again replaces it.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, insert, inspect, select
from sqlalchemy.exc import DatabaseError, DataError

from harness.errors import ResultError
from harness.records.json import from_json
from harness.records.record import Record, RunInfo
from harness.store.database import connect, reading, writing
from harness.store.files import DISK, locked
from harness.store.llama_bench_fields import EXPORT_FIELDS, field_type
from harness.store.llama_bench_out import cell
from harness.store.llama_bench_rows import commit_of, flatten
from harness.store.measures import measures
from harness.store.parsed import storable
from harness.store.runs import INFO, RERUN_NOTE, read_record
from harness.store.schema import INDEX_SCHEMA, LLAMA_BENCH, META, METADATA, RECORDS, RUNS, SERIES, SESSIONS

FILE = "index.sqlite"
ROOT_ID = ".index-id"
EXPERIMENTS = ("ab", "profile", "reproduce")
"""Commands whose runs are not held against others unasked: they answer a question of their own."""


@dataclass(frozen=True)
class Synced:
    """What bringing the index up to date did; a warning for every file that could not be read."""

    n_records: int
    n_removed: int
    warnings: tuple[str, ...] = ()


class Index:
    """An open index. Every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def sync(self, results: Path) -> Synced:
        """Take in every record below `results` that is new or changed, and drop those that are gone.

        Errors: ResultError where the database cannot be used.
        """
        root = _root_id(results)
        with reading(self.engine) as connection:
            known = _known(connection, root)
        found = dict(_files(results))
        changed = {file: state for file, state in found.items() if known.get(file) != state}
        gone = known.keys() - found.keys()
        if not changed and not gone:
            return Synced(0, 0)
        with writing(self.engine) as connection:
            for file in gone:
                _forget(connection, root, file)
            n_records, warnings = _take_in(connection, results, root, changed)
        return Synced(n_records, len(gone), warnings)

    def rebuild(self, results: Path) -> Synced:
        """Forget everything known of `results` and read all its records again; readers see the old state till then.

        Errors: ResultError where the database cannot be used.
        """
        root = _root_id(results)
        with writing(self.engine) as connection:
            connection.execute(delete(RUNS).where(RUNS.c.root == root))
            n_records, warnings = _take_in(connection, results, root, dict(_files(results)))
        return Synced(n_records, 0, warnings)


def open_index(where: str | Path, *, anew: bool = False) -> Index:
    """The index at a path or URL, made if there is none; `anew` replaces one of another schema or a damaged file.

    Errors: ResultError for an index of another schema, a damaged file, or a database out of reach.
    """
    engine = connect(where)
    try:
        if engine.dialect.name == "sqlite" and engine.url.database:
            Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
            if anew:
                _remove_damaged(Path(engine.url.database))
        with writing(engine) as connection:
            _make_tables(connection, anew=anew)
    except ResultError:
        engine.dispose()
        raise
    return Index(engine)


def _make_tables(connection: Connection, *, anew: bool) -> None:
    found = _schema_of(connection)
    if found is not None and found != str(INDEX_SCHEMA):
        if not anew:
            what = f"the index has schema {found}, this harness uses {INDEX_SCHEMA}"
            raise ResultError(f"{what}. `harness db rebuild` makes it anew from the records.")
        METADATA.drop_all(connection)
        found = None
    if found is None:
        METADATA.create_all(connection)
        connection.execute(insert(META).values(name="schema", value=str(INDEX_SCHEMA)))


def _schema_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table(META.name):
        return None
    return connection.scalar(select(META.c.value).where(META.c.name == "schema")) or "unknown"


def _remove_damaged(path: Path) -> None:
    """Delete an SQLite file that is none; the records it was made from are elsewhere."""
    engine = connect(path)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA quick_check")
    except DatabaseError:
        for name in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            name.unlink(missing_ok=True)
    finally:
        engine.dispose()


def _root_id(results: Path) -> str:
    """A results folder's own name, so that folders of several machines can share one database."""
    results.mkdir(parents=True, exist_ok=True)
    path = results / ROOT_ID
    with locked(results / f"{ROOT_ID}.lock", "", wait=True):
        if not path.is_file():
            DISK.write_file(path, uuid.uuid4().hex.encode())
        return path.read_text().strip()[:40]


def _files(results: Path) -> Iterator[tuple[str, str]]:
    """Every run's files by their path below `results`, with what tells a changed file from an unchanged one."""
    for info in sorted(results.glob(f"*/{INFO}")):
        for path in (info, *sorted(info.parent.glob("case-*.json"))):
            status = path.stat()
            yield f"{info.parent.name}/{path.name}", f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def _known(connection: Connection, root: str) -> dict[str, str]:
    records = select(RECORDS.c.file, RECORDS.c.file_state).join(RUNS, RUNS.c.run == RECORDS.c.run)
    runs = select(RUNS.c.run, RUNS.c.file_state).where(RUNS.c.root == root)
    known = {str(file): str(state) for file, state in connection.execute(records.where(RUNS.c.root == root))}
    return known | {f"{run}/{INFO}": str(state) for run, state in connection.execute(runs)}


def _take_in(
    connection: Connection, results: Path, root: str, changed: Mapping[str, str]
) -> tuple[int, tuple[str, ...]]:
    """Index the files in `changed`, by run; how many records there were, and a warning for each that cannot be read."""
    warnings: list[str] = []
    n_records = 0
    for run, files in groupby(sorted(changed), key=lambda file: file.partition("/")[0]):
        try:
            _put_run(connection, root, _read_info(results / run), changed.get(f"{run}/{INFO}", ""))
        except ResultError as error:
            warnings.append(str(error))
            continue
        for file in files:
            if file.endswith(f"/{INFO}"):
                continue
            try:
                record = read_record(results / file)
            except ResultError as error:
                warnings.append(str(error))
                continue
            try:
                with connection.begin_nested():
                    _put_record(connection, run, file, changed[file], record)
            except (DataError, OverflowError) as error:  # a number or a text that no column holds
                warnings.append(f"{results / file}: cannot be indexed ({str(error).splitlines()[0]})")
                continue
            n_records += 1
    return n_records, tuple(warnings)


def _forget(connection: Connection, root: str, file: str) -> None:
    run, _, name = file.partition("/")
    if name == INFO:
        connection.execute(delete(RUNS).where(RUNS.c.run == run, RUNS.c.root == root))
    else:
        connection.execute(delete(RECORDS).where(RECORDS.c.run == run, RECORDS.c.file == file))


def _read_info(folder: Path) -> RunInfo:
    try:
        return from_json(RunInfo, (folder / INFO).read_bytes())
    except (OSError, ValueError) as error:
        raise ResultError(f"{folder / INFO}: cannot be read, its run is not indexed ({error}).") from error


def _put_run(connection: Connection, root: str, info: RunInfo, state: str) -> None:
    values = {
        "root": root,
        "config_name": storable(info.config_name),
        "started": info.started,
        "harness_commit": info.harness_commit,
        "device_class": storable(info.fingerprint.device_class),
        "n_cases": len(info.cases),
        "rerun_of": next((text for name, text in info.notes if name == RERUN_NOTE), ""),
        "experiment": next((word for word in info.command if word in EXPERIMENTS), ""),
        "rates": json.dumps(dict(info.limits.rate)),
    }
    if state:
        values["file_state"] = state
    there = connection.scalar(select(RUNS.c.run).where(RUNS.c.run == info.run))
    if there is None:
        connection.execute(insert(RUNS).values(run=info.run, **{"file_state": "", **values}))
    else:
        connection.execute(RUNS.update().where(RUNS.c.run == info.run).values(**values))


def _put_record(connection: Connection, run: str, file: str, state: str, record: Record) -> None:
    connection.execute(delete(RECORDS).where(RECORDS.c.run == run, RECORDS.c.file == file))
    row = insert(RECORDS).values(
        run=run,
        case_id=storable(record.case.case_id),
        file=file,
        file_state=state,
        status=record.status,
        test_time=record.test_time,
        commit=storable(commit_of(record)),
        imported_from=storable(record.imported_from),
        schema=record.schema,
    )
    key = connection.execute(row).inserted_primary_key
    number = int(key[0]) if key is not None else 0
    if not record.case.build:  # another build's sessions are none of this run's
        _put_sessions(connection, number, record)
    flat = [
        {name: _as_column(name, cell(row, name)) for name in EXPORT_FIELDS}
        | {"record": number, "samples_ns": json.dumps(row.samples_ns)}
        for row in flatten([record])
    ]
    if flat:
        connection.execute(insert(LLAMA_BENCH), flat)


def _put_sessions(connection: Connection, number: int, record: Record) -> None:
    found = measures(record)
    keys = {measure.key.series_id: measure.key for measure in found}
    known = set(connection.scalars(select(SERIES.c.series_id).where(SERIES.c.series_id.in_(keys))))
    new = [
        {
            "series_id": series_id,
            "model": storable(key.model),
            "engine": storable(key.engine),
            "device": storable(key.device),
            "device_class": storable(key.device_class),
            "test": storable(key.test),
            "metric": key.metric,
            "axes": json.dumps(key.axes, sort_keys=True),
        }
        for series_id, key in keys.items()
        if series_id not in known
    ]
    if new:
        connection.execute(insert(SERIES), new)
    sessions = [
        {
            "record": number,
            "series_id": measure.key.series_id,
            "value": measure.value,
            "level": measure.level,
            "sd": measure.sd,
            "n_samples": measure.n_samples,
            "state": measure.state,
            "note": storable(measure.note),
        }
        for measure in found
    ]
    if sessions:
        connection.execute(insert(SESSIONS), sessions)


def _as_column(name: str, value: str | float) -> str | float | bool:
    return bool(value) if field_type(name) == "bool" else storable(value)
