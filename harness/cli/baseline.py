"""`harness baseline`: the run that others are held against on a class of machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.arguments import RESULTS, Results, command_app
from harness.cli.index_access import HERE, Database, Repo, open_results
from harness.cli.talk import put
from harness.errors import ResultError

if TYPE_CHECKING:
    from harness.store.sessions import RunEntry

app = command_app(no_args_is_help=True)


@app.callback()
def _baseline() -> None:
    """Choose or show what results are held against.

    By default that is the nearest ancestor commit with results on such a machine.
    """


@app.command("set")
def set_(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run, or a commit that has one.")] = None,
    results: Results = RESULTS,
    database: Database = None,
    note: Annotated[str, typer.Option("--note", help="Why.")] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Go back to the nearest ancestor.")] = False,
) -> None:
    """Choose a run as the baseline of its class of machine; accepts a lasting slowdown for good."""
    from harness.store.baselines import choose  # noqa: PLC0415
    from harness.store.sessions import run_entries  # noqa: PLC0415

    if (run is None) != clear:
        raise ResultError("name a run to make it the baseline, or --clear to choose none")
    with open_results(results, database) as index:
        entries = run_entries(index)
    if run is None:
        for device_class in {entry.device_class for entry in entries}:
            choose(results, device_class, None)
        put("baseline: the nearest ancestor commit with results on the same class of machine")
        return
    entry = _entry(run, results, entries)
    choose(results, entry.device_class, entry.run, note)
    put(f"baseline of {entry.device_class or 'an unnamed machine'}: {entry.run}")


@app.command()
def show(results: Results = RESULTS, database: Database = None, repo: Repo = HERE) -> None:
    """Print every class of machine's baseline and how it is found."""
    from harness.store.baselines import baseline_of, chosen  # noqa: PLC0415
    from harness.store.commits import Repository  # noqa: PLC0415
    from harness.store.sessions import run_entries  # noqa: PLC0415

    with open_results(results, database) as index:
        entries = run_entries(index)
    choices = chosen(results)
    newest = {entry.device_class: entry for entry in entries if entry.is_night}
    if not newest:
        raise ResultError(f"{results}: no run here yet. `harness run CONFIG` makes one.")
    for device_class, entry in newest.items():
        found = baseline_of(entry, entries, choices, Repository(repo))
        what = "none: no earlier results" if found is None else f"{found.run.run}  ({found.how})"
        put(f"{device_class or 'an unnamed machine'}: {what}")


def _entry(run: str, results: Path, entries: "tuple[RunEntry, ...]") -> "RunEntry":
    from harness.store.runs import find_run  # noqa: PLC0415

    by_commit = [entry for entry in entries if any(commit.startswith(run) for commit in entry.commits)]
    if by_commit:
        return by_commit[-1]
    name = find_run(run, results).name
    found = next((entry for entry in entries if entry.run == name), None)
    if found is None:
        raise ResultError(f"{name}: holds no readable result, so nothing can be held against it")
    return found
