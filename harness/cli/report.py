"""`harness report`: the HTML page of a run; prints its path."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.arguments import REPORTS, RESULTS, Reference, Results, RunName, command_app
from harness.cli.newest import run_folder
from harness.cli.talk import put

app = command_app()


@app.command()
def report(
    run: RunName = None,
    results: Results = RESULTS,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where index.html goes.")] = None,
    reference: Reference = None,
    against: Annotated[
        str | None, typer.Option("--against", metavar="RUN", help="Compare with this run, side by side.")
    ] = None,
) -> None:
    """Write the HTML report of a run, or of one run against another.

    One self-contained file; its path is printed.
    """
    from harness.report.html import write_comparison, write_report  # noqa: PLC0415

    folder = run_folder(run, results)
    if against is None:
        put(str(write_report(folder, out or REPORTS / folder.name, reference or ())))
        return
    base = run_folder(against, results)
    put(str(write_comparison(base, folder, out or REPORTS / f"{folder.name}-against-{base.name}")))
