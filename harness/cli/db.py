"""`harness db`: the index of all results. It is made from the records and can always be made again."""

from harness.cli.arguments import RESULTS, Results, command_app
from harness.cli.index_access import Database, open_results, where
from harness.cli.talk import put, say

app = command_app(no_args_is_help=True)


@app.callback()
def _db() -> None:
    """Show the index of all results, or make it anew."""


@app.command()
def rebuild(results: Results = RESULTS, database: Database = None) -> None:
    """Make the index anew from the records; an older, newer or damaged one is replaced."""
    from harness.store.index import open_index  # noqa: PLC0415

    index = open_index(where(results, database), anew=True)
    try:
        done = index.rebuild(results)
    finally:
        index.close()
    for warning in done.warnings:
        say(warning)
    put(f"{done.n_records} records indexed, {len(done.warnings)} files left out")


@app.command()
def show(results: Results = RESULTS, database: Database = None) -> None:
    """Bring the index up to date and list its runs: started, run, config, commit, class of machine."""
    from harness.store.sessions import run_entries  # noqa: PLC0415

    with open_results(results, database) as index:
        entries = run_entries(index)
    for entry in entries:
        marks = " imported" * entry.imported + f" re-run of {entry.rerun_of}" * bool(entry.rerun_of)
        commit = entry.commits[0] if entry.commits else "-"
        put(f"{entry.started}  {entry.run}  {entry.config_name}  {commit}  {entry.device_class}{marks}")
