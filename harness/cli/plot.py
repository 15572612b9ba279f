"""`harness plot`: PP and TG against N_KV as files for a post, in the style of the pull request's figures."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.arguments import REPORTS, RESULTS, Reference, Results, RunName, command_app
from harness.cli.newest import run_folder
from harness.cli.talk import put, say

app = command_app()


@app.command()
def plot(
    run: RunName = None,
    results: Results = RESULTS,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where the files go.")] = None,
    kind: Annotated[Literal["png", "svg"], typer.Option("--format", help="The kind of file.")] = "png",
    reference: Reference = None,
) -> None:
    """Draw a run's speeds, a file per model, and print the paths."""
    from harness.report.plot import write_plots  # noqa: PLC0415
    from harness.store.runs import read_run  # noqa: PLC0415

    folder = run_folder(run, results)
    paths = write_plots(read_run(folder, results).records, out or REPORTS / folder.name, kind, reference or ())
    for path in paths:
        put(str(path))
    if not paths:
        say(f"{folder.name}: no case has a speed, so there is nothing to draw. `harness show {folder.name}` tells why.")
