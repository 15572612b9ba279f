"""`harness reproduce RECORD`: measure a record's case again and say whether it comes out the same."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.arguments import RESULTS, Results, command_app
from harness.cli.failure import CANNOT_TELL, FAILED, INTERRUPTED, REGRESSION, first_that_applies
from harness.cli.index_access import Database, open_results
from harness.cli.talk import put, say
from harness.errors import ResultError

if TYPE_CHECKING:
    from harness.cli.sides import Side
    from harness.records.case import Case
    from harness.records.record import Record

app = command_app()


@app.command()
def reproduce(
    record: Annotated[
        str, typer.Argument(metavar="RECORD", help="A case-….json, or RUN:CASE with a part of the case's id.")
    ],
    results: Results = RESULTS,
    database: Database = None,
    sessions: Annotated[int, typer.Option("--sessions", min=1, max=50, help="Fresh processes to measure in.")] = 3,
    check: Annotated[bool, typer.Option("--check", help="Only say what is different here; measure nothing.")] = False,
) -> None:
    """Measure a record's case again, in fresh processes, and compare.

    First says what is different now: the machine, the code, the engine's build, the model file. Exits with 0 if it came
    out the same or faster, 1 if slower, 4 if that cannot be told.
    """
    old = _record(record, results)
    for difference in differences(old):
        say(f"different here: {difference}")
    if check:
        return
    if old.imported_from:
        raise ResultError(f"{record}: imported from {old.imported_from}; there is nothing here that could measure it")
    new, interrupted = _measure(old, _company(record, old, results), results, sessions)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if not new.measures:
        raise typer.Exit(FAILED)
    raise typer.Exit(_compared(old, new, results, database))


def differences(old: "Record") -> list[str]:
    """What is not as it was when the record was made."""
    from harness.runner.identity import harness_commit, resume_key  # noqa: PLC0415
    from harness.telemetry.fingerprint import fingerprint  # noqa: PLC0415

    here, there = fingerprint(), old.fingerprint
    named = (
        ("machine", there.device_class, here.device_class),
        ("kernel", there.kernel, here.kernel),
        ("governor", there.governor, here.governor),
        ("driver", there.driver, here.driver),
        ("harness commit", old.harness_commit, harness_commit()),
    )
    found = [f"{name} was {before}, is {now or 'unknown'}" for name, before, now in named if before and before != now]
    if old.resume_key and not found and resume_key(old.case) != old.resume_key:
        found.append("the model file or the engine's build is another")
    return found


def _record(asked: str, results: Path) -> "Record":
    from harness.store.runs import read_record, read_run  # noqa: PLC0415

    path = Path(asked)
    if path.is_file():
        return read_record(path)
    run, colon, case = asked.rpartition(":")
    if not colon:
        raise ResultError(f"{asked}: no such file. Name a case-….json below {results}, or RUN:CASE.")
    records = read_run(run, results).records
    found = [record for record in records if case in record.case.case_id or case in record.case.test.label]
    if len(found) != 1:
        names = ", ".join(f"{r.case.case_id} ({r.case.test.label})" for r in (found or records))
        raise ResultError(f"{asked}: {len(found)} cases match; there are {names}")
    return found[0]


def _company(asked: str, old: "Record", results: Path) -> "tuple[Case, ...]":
    """The case and those it took turns with when it was measured, as far as its run is still there."""
    from harness.errors import RunError  # noqa: PLC0415
    from harness.runner.order import company  # noqa: PLC0415
    from harness.store.runs import find_run, read_info  # noqa: PLC0415

    path = Path(asked)
    try:
        info = read_info(path.parent if path.is_file() else find_run(old.run, results))
    except (ResultError, RunError):
        return (old.case,)
    return company({old.case.case_id}, info.cases) or (old.case,)


def _measure(old: "Record", cases: "tuple[Case, ...]", results: Path, sessions: int) -> "tuple[Side, bool]":
    from harness.cli.progress import RunProgress  # noqa: PLC0415
    from harness.cli.sides import Side  # noqa: PLC0415
    from harness.config import Expansion, labels  # noqa: PLC0415
    from harness.records.case import Note  # noqa: PLC0415
    from harness.runner.run import execute  # noqa: PLC0415
    from harness.store.measures import measures  # noqa: PLC0415
    from harness.store.runs import RERUN_NOTE  # noqa: PLC0415

    note = Note(RERUN_NOTE, old.run)
    expansion = Expansion(name=f"{old.case.config}-reproduced", cases=cases, notes=(note,), text="")
    names = {case.case_id: label for case, label in zip(cases, labels(cases), strict=True)}
    found = []
    for _ in range(sessions):
        with RunProgress(names) as progress:
            outcome = execute(expansion, results, None, ("harness", *sys.argv[1:]), progress)
        again = [record for record in outcome.records if record.case.case_id == old.case.case_id]
        found += [measure for record in again for measure in measures(record) if measure.value is not None]
        if outcome.interrupted:
            return Side("now", tuple(found)), True
    return Side(f"now, {sessions} sessions", tuple(found)), False


def _compared(old: "Record", new: "Side", results: Path, database: str | None) -> int:
    from harness.cli.compare import compared  # noqa: PLC0415
    from harness.cli.evidence import spreads  # noqa: PLC0415
    from harness.cli.sides import Side, match  # noqa: PLC0415
    from harness.report.comparison import comparison_document  # noqa: PLC0415
    from harness.report.markdown import document_markdown  # noqa: PLC0415
    from harness.store.measures import measures  # noqa: PLC0415

    before = Side(f"{old.run}, {old.case.case_id}", measures(replace(old, imported_from="")))
    with open_results(results, database) as index:
        found = compared(before.name, new.name, match(before, new), spreads(index))
    put(document_markdown(comparison_document(found)))
    met = {row.verdict for row in found.rows}
    return first_that_applies([REGRESSION] * ("SLOWER" in met) + [CANNOT_TELL] * ("CANNOT TELL" in met or not met))
