"""`harness profile`: where the time goes, operation by operation, and why the merge pays or does not."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.arguments import REPORTS, RESULTS, ConfigFile, Only, Results, Set, command_app
from harness.cli.failure import FAILED, INTERRUPTED, first_that_applies
from harness.cli.page import write_page
from harness.cli.talk import put, say_notes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.config import Expansion
    from harness.runner.run import RunOutcome
    from harness.store.runs import Run

app = command_app()


@app.command()
def profile(
    config: ConfigFile,
    *,
    only: Only = None,
    overrides: Set = None,
    results: Results = RESULTS,
    output: Annotated[Literal["md", "json"], typer.Option("-o", "--output", help="What standard output gets.")] = "md",
    reports: Annotated[Path, typer.Option("--reports", metavar="DIR", help="Folder of reports.")] = REPORTS,
) -> None:
    """Time every operation of a config's rows.

    Beside each stand its bytes, its multiplications and this machine's limits. Cases that differ in merge, fuse and
    path alone take turns, and the report shows step by step what each choice brings. The core on a CPU or on a card
    can be profiled. Exits with 3 if a case failed.
    """
    from harness.config import expand, labels, load_config  # noqa: PLC0415
    from harness.store.runs import read_run  # noqa: PLC0415

    expansion = expand(load_config(config, overrides or ()), only or ())
    say_notes(expansion.notes)
    names = {case.case_id: label for case, label in zip(expansion.cases, labels(expansion.cases), strict=True)}
    outcome = _measure(expansion, results, names)
    run = read_run(outcome.run_dir)
    put(_as_json(run) if output == "json" else "\n".join(_as_markdown(run, names)))
    write_page(outcome.run_dir, reports)
    raise typer.Exit(_code(outcome))


def _measure(expansion: "Expansion", results: Path, names: dict[str, str]) -> "RunOutcome":
    from harness.cli.progress import TurnsProgress  # noqa: PLC0415
    from harness.runner.profiling import execute_profile  # noqa: PLC0415

    with TurnsProgress(names) as progress:
        return execute_profile(expansion, results, ("harness", *sys.argv[1:]), progress)


def _as_markdown(run: "Run", labels: dict[str, str]) -> "Iterator[str]":
    from harness.report.document import gain_sections  # noqa: PLC0415
    from harness.report.markdown import escape, section_markdown, table_markdown  # noqa: PLC0415
    from harness.report.matching import matching  # noqa: PLC0415
    from harness.report.ops import limits_line, profile_table  # noqa: PLC0415

    for profiled in run.profiles:
        yield f"## {escape(labels[profiled.case.case_id])}\n\n{escape(profiled.case.model.label)}\n"
        for row in profiled.rows:
            table = profile_table(profiled, row, run.info.limits)
            yield f"{escape(table.caption)}\n\n{table_markdown(table)}\n"
        yield f"{escape(limits_line(matching(run.info.limits, profiled.case.axes)))}\n"
    for section in gain_sections(run.records, run.profiles):
        yield section_markdown(section)


def _as_json(run: "Run") -> str:
    from dataclasses import asdict  # noqa: PLC0415

    cases = [asdict(case) for case in run.profiles]
    return json.dumps({"limits": asdict(run.info.limits), "cases": cases}, indent=1, allow_nan=False)


def _code(outcome: "RunOutcome") -> int:
    codes = [INTERRUPTED] if outcome.interrupted else []
    codes += [FAILED for record in outcome.records if record.status != "ok"]
    return first_that_applies(codes)
