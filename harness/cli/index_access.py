"""The index a command works on: opened, brought up to date with the records, closed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.talk import say

if TYPE_CHECKING:
    from harness.store.index import Index

Database = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URL",
        envvar="HARNESS_DB",
        help="The index: a path or postgresql://…; index.sqlite in the results folder by default.",
    ),
]
Repo = Annotated[Path, typer.Option("--repo", metavar="DIR", help="The checkout whose commits the results name.")]
HERE = Path()


@contextmanager
def open_results(results: Path, database: str | None) -> "Iterator[Index]":
    """The index of the records below `results`, up to date; empty, and no folder is made, where there are none.

    Says what could not be read.
    """
    from harness.store.index import open_index  # noqa: PLC0415  SQLAlchemy is slow to import

    if not results.is_dir() and database is None:
        database = "sqlite://"
    index = open_index(where(results, database))
    try:
        for warning in index.sync(results).warnings if results.is_dir() else ():
            say(warning)
        yield index
    finally:
        index.close()


def where(results: Path, database: str | None) -> str | Path:
    """The database a command means."""
    from harness.store.index import FILE  # noqa: PLC0415

    return database or results / FILE
