"""`harness show`: a run's tables on standard output, or the list of runs."""

from typing import Annotated

import typer

from harness.cli.arguments import RESULTS, Results, command_app
from harness.cli.run import Output, render_records
from harness.cli.talk import put

app = command_app()


@app.command()
def show(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run folder, its name or a part of it; without one: the list."),
    ] = None,
    results: Results = RESULTS,
    output: Annotated[Output, typer.Option("-o", "--output", help="The form of the output.")] = "md",
) -> None:
    """Print a run's tables, or list the runs."""
    from harness.store.runs import list_runs, read_run  # noqa: PLC0415

    if run is not None:
        put(render_records(read_run(run, results).records, output))
        return
    for info in list_runs(results):
        cases = f"{len(info.cases)} case{'s' if len(info.cases) != 1 else ''}"
        put(f"{info.run}  {info.started}  {info.config_name}, {cases}")
