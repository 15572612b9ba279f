"""`harness run`: measure every case of a config, write the report, print the tables."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.arguments import REPORTS, RESULTS, ConfigFile, Only, Results, Set, command_app
from harness.cli.failure import FAILED, INTERRUPTED, first_that_applies
from harness.cli.page import write_page
from harness.cli.talk import put, say, say_notes

if TYPE_CHECKING:
    from harness.config import Expansion
    from harness.records.record import Record
    from harness.runner.run import RunOutcome

app = command_app()

Output = Literal["md", "json", "jsonl", "csv"]


@app.command()
def run(
    config: ConfigFile,
    *,
    only: Only = None,
    overrides: Set = None,
    results: Results = RESULTS,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="Go on with a run that was interrupted.")
    ] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="What standard output gets.")] = "md",
    reports: Annotated[Path, typer.Option("--reports", metavar="DIR", help="Folder of reports.")] = REPORTS,
) -> None:
    """Measure every case of a config and report.

    Each case has a process of its own. Exits with 3 if a case failed, 130 if interrupted; what was measured is kept,
    and --resume measures the rest.
    """
    from harness.config import expand, load_config  # noqa: PLC0415

    expansion = expand(load_config(config, overrides or ()), only or ())
    say_notes(expansion.notes)
    outcome = _measure(expansion, results, resume)
    put(render_records(outcome.records, output))
    write_page(outcome.run_dir, reports)
    if outcome.interrupted:
        say(f"interrupted; go on with: {_going_on(resume, outcome.run_dir.name)}")
    raise typer.Exit(_code(outcome))


def _measure(expansion: "Expansion", results: Path, resume: str | None) -> "RunOutcome":
    from harness.cli.progress import RunProgress  # noqa: PLC0415
    from harness.config import labels  # noqa: PLC0415
    from harness.runner.run import execute  # noqa: PLC0415

    names = {case.case_id: label for case, label in zip(expansion.cases, labels(expansion.cases), strict=True)}
    command = ("harness", *sys.argv[1:])
    with RunProgress(names) as progress:
        return execute(expansion, results, resume, command, progress)


def render_records(records: "Sequence[Record]", output: Output) -> str:
    if output == "md":
        from harness.report.markdown import run_markdown  # noqa: PLC0415

        return run_markdown(records)
    from harness.store.llama_bench_out import render  # noqa: PLC0415

    return render(records, output)


def _going_on(resume: str | None, run: str) -> str:
    """The command as typed, `--only` and `--set` included, since they decide which cases there are."""
    typed = ["harness", *sys.argv[1:]]
    return shlex.join(typed if resume else [*typed, "--resume", run])


def _code(outcome: "RunOutcome") -> int:
    codes = [INTERRUPTED] if outcome.interrupted else []
    codes += [FAILED for record in outcome.records if record.status not in {"ok", "skipped"}]
    return first_that_applies(codes)
