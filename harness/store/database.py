"""Opening the index's database: SQLite by a file's path, PostgreSQL by URL.

A writer holds the database's write lock from its first statement to its commit, so two writers queue and lose nothing.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from harness.errors import ResultError

BUSY_S = 60
"""Seconds a writer waits for another."""
_LOCK = 0x6861726E657373
"""PostgreSQL's advisory lock of the index's writers."""


def connect(where: str | Path) -> Engine:
    """The engine of a file's path or a database URL. Nothing is opened yet. Errors: ResultError for an unusable URL."""
    url = _url(where)
    try:
        if url.get_backend_name() == "sqlite":
            return _sqlite(url)
        return create_engine(url, connect_args={"connect_timeout": 10}, pool_pre_ping=True)
    except (ArgumentError, ImportError, NoSuchModuleError) as error:
        shown = url.render_as_string(hide_password=True)
        hint = "PostgreSQL needs the extra `postgres` (pip install 'harness[postgres]')"
        raise ResultError(f"{shown}: no such database driver ({error}). {hint}.") from error


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is the only writing one. Errors: ResultError naming the database."""
    with explained(engine), engine.connect().execution_options(writing=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield connection


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database. Errors: ResultError naming the database."""
    with explained(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextlib.contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Turns the driver's errors into one sentence."""
    try:
        yield
    except DBAPIError as error:
        shown = engine.url.render_as_string(hide_password=True)
        cause = str(error.orig).strip().splitlines()[0]
        what = "cannot be reached or is busy" if isinstance(error, OperationalError) else "does not hold our index"
        advice = "The records are safe. `harness db rebuild` makes the index anew."
        raise ResultError(f"{shown}: {what} ({cause}). {advice}") from error


def _url(where: str | Path) -> URL:
    if isinstance(where, Path) or "://" not in where:
        return URL.create("sqlite", database=str(where))
    try:
        url = make_url(where)
    except ArgumentError as error:
        raise ResultError(f"not a database URL: {error}. Write postgresql://user@host/name or a path.") from error
    return url.set(drivername="postgresql+psycopg") if url.drivername in {"postgresql", "postgres"} else url


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_S, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        # WAL: readers and a writer do not wait for each other. FULL: what is committed survives a power cut.
        _patiently(connection, "PRAGMA journal_mode = WAL")
        for pragma in ("synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # taking the write lock late is what makes two SQLite writers fail with "database is locked"
        immediate = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _patiently(connection: Any, statement: str) -> None:
    """Execute what SQLite refuses at once while another process makes the same file, whatever the timeout."""
    give_up = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.05)
        else:
            return
