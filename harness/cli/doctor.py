"""`harness doctor`: what would disturb or prevent a run on this machine, and what to do about it."""

import typer

from harness.cli.arguments import RESULTS, Results, command_app
from harness.cli.failure import FAILED
from harness.cli.talk import put

app = command_app()


@app.command()
def doctor(results: Results = RESULTS) -> None:
    """Look for what would disturb a run here.

    Exits with 3 if something would prevent it.
    """
    from harness.cli.checkup import checkup  # noqa: PLC0415

    prevented = False
    for finding in checkup(results):
        advice = f"\n{'':6}{'':22}→ {finding.advice}" if finding.advice else ""
        put(f"{finding.grade:<6}{finding.what:<22}{finding.text}{advice}")
        prevented |= finding.grade == "bad"
    if prevented:
        raise typer.Exit(FAILED)
