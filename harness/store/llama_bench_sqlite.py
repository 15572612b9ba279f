"""An SQLite file as `llama-bench -o sql | sqlite3` makes it, with mainline's and with ik_llama.cpp's table name.

The file appears whole or not at all.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from harness.errors import ResultError
from harness.records.record import Record
from harness.store.llama_bench_out import TABLES, cell, columns, create_table
from harness.store.llama_bench_rows import flatten


def write_sqlite(records: Iterable[Record], path: Path) -> int:
    """Write the records' rows to a new file at `path`, replacing what was there. Returns the number of rows.

    Errors: ResultError where it cannot be written.
    """
    rows = flatten(records)
    names = columns(rows)
    values = [tuple(cell(row, name) for name in names) for row in rows]
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(temporary)) as database, database:
            for table in TABLES:
                database.execute(create_table(table, names))
                database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", values)  # noqa: S608
        temporary.replace(path)
    except (OSError, sqlite3.Error) as error:
        temporary.unlink(missing_ok=True)
        raise ResultError(f"{path}: cannot be written ({error}). Choose another place.") from error
    return len(rows)
