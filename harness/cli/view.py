"""`harness view`: the report of a run in the browser; with --serve it follows a run that goes on."""

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.arguments import REPORTS, RESULTS, Results, RunName, command_app
from harness.cli.newest import run_folder
from harness.cli.talk import put, say
from harness.errors import RunError

if TYPE_CHECKING:
    from harness.records.profile import CaseProfile
    from harness.records.record import Record, RunInfo
    from harness.report.view_server import Source

app = command_app()


@app.command()
def view(
    run: RunName = None,
    results: Results = RESULTS,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve reports on 127.0.0.1 and reload them as runs go on.")
    ] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="With --serve; any free one by default.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Whether to open a browser.")] = True,
) -> None:
    """Open the report of a run in the browser.

    Without a run the newest. Its path is printed too.
    """
    if serve:
        _serve(run, results, port, browser=browser)
        return
    from harness.report.html import write_report  # noqa: PLC0415

    folder = run_folder(run, results)
    path = write_report(folder, REPORTS / folder.name)
    put(str(path))
    if browser and not webbrowser.open(path.resolve().as_uri()):
        say("no browser could be opened; the file above is the report.")


def _serve(run: str | None, results: Path, port: int, *, browser: bool) -> None:
    from harness.report.view_server import server  # noqa: PLC0415

    try:
        made = server(_source(results), port)
    except OSError as error:
        raise RunError(
            f"port {port} of 127.0.0.1 cannot be had ({error.strerror}). Choose another with --port."
        ) from error
    address = f"http://127.0.0.1:{made.server_port}/"
    if run is not None:
        address += f"run/{run_folder(run, results).name}"
    put(address)
    say("serving to this machine only; Ctrl-C ends it.")
    if browser:
        webbrowser.open(address)
    with made:
        made.serve_forever()


def _source(results: Path) -> "Source":
    from harness.report.view_server import Source, folder_state  # noqa: PLC0415
    from harness.store.runs import INFO, read_run  # noqa: PLC0415

    def read(name: str) -> "tuple[RunInfo, tuple[Record, ...], tuple[CaseProfile, ...]]":
        found = read_run(results / name)
        return found.info, found.records, found.profiles

    def names() -> list[str]:
        """The folders' own names, newest first: a name inside a file is not trusted to be one."""
        found = sorted(results.glob(f"*/{INFO}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [path.parent.name for path in found]

    return Source(names=names, read=read, state=lambda name: folder_state(results / name))
