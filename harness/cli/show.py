"""`harness show`: a run's tables on standard output, or the list of runs."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.arguments import RESULTS, Results, command_app
from harness.cli.run import render_records
from harness.cli.talk import put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.record import Record

app = command_app()


@app.command()
def show(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run folder, its name or a part of it; without one: the list."),
    ] = None,
    results: Results = RESULTS,
    output: Annotated[
        Literal["text", "md", "json", "jsonl", "csv"] | None,
        typer.Option("-o", "--output", help="The form of the output; text on a terminal, md elsewhere by default."),
    ] = None,
) -> None:
    """Print a run's tables, or list the runs."""
    from harness.store.runs import list_runs, read_run  # noqa: PLC0415

    if run is None:
        for info in list_runs(results):
            cases = f"{len(info.cases)} case{'s' if len(info.cases) != 1 else ''}"
            put(f"{info.run}  {info.started}  {info.config_name}, {cases}")
        return
    records = read_run(run, results).records
    form = output or ("text" if sys.stdout.isatty() else "md")
    if form == "text":
        _show_text(records)
    else:
        put(render_records(records, form))


def _show_text(records: "Sequence[Record]") -> None:
    from rich.console import Console  # noqa: PLC0415  `--help` need not pay for it

    from harness.report.terminal import show_run  # noqa: PLC0415

    show_run(records, Console(highlight=False))
