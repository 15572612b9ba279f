"""`harness import`: results of llama-bench and llama-sweep-bench become runs, marked as imported."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.arguments import RESULTS, Results, command_app
from harness.cli.talk import put, say
from harness.errors import ResultError

app = command_app()


@app.command()
def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="JSON, JSONL, CSV, Markdown or SQL; - reads stdin.")
    ],
    results: Results = RESULTS,
) -> None:
    """Take in what llama-bench or llama-sweep-bench printed.

    Of mainline or ik_llama.cpp, of any age. Prints the run each file became. Nothing in a file is executed;
    imported runs are no baseline unless chosen.
    """
    from harness.store.imports import read_results, store_import  # noqa: PLC0415

    for file in files:
        name = "stdin" if str(file) == "-" else file.name
        imported = read_results(_bytes(file), name)
        for warning in imported.warnings:
            say(f"{name}: {warning}")
        folder = store_import(imported, name, results)
        put(f"{folder.name}  {len(imported.records)} results")


def _bytes(file: Path) -> bytes:
    from harness.store.imports import LARGEST_BYTES  # noqa: PLC0415

    if str(file) == "-":
        return sys.stdin.buffer.read(LARGEST_BYTES + 1)
    try:
        with file.open("rb") as source:
            return source.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ResultError(f"{file}: cannot be read ({error.strerror})") from error
