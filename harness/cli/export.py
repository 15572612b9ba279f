"""`harness export`: results in the formats other people's tools read."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.arguments import RESULTS, Results, command_app
from harness.cli.newest import run_folder
from harness.cli.talk import put, say
from harness.errors import ConfigError, ResultError

if TYPE_CHECKING:
    from harness.records.record import Record

app = command_app()

Format = Literal["json", "jsonl", "csv", "md", "sql", "sqlite", "sweep", "sweep-jsonl", "github-action"]


@app.command()
def export(
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN…]", help="Runs; the newest by default.")] = None,
    results: Results = RESULTS,
    form: Annotated[Format, typer.Option("--format", "-o", help="llama-bench's formats and others'.")] = "json",
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Instead of standard output.")] = None,
    guard_formulas: Annotated[
        bool, typer.Option("--guard-formulas", help="CSV: quote text a spreadsheet would run as a formula.")
    ] = False,
) -> None:
    """Print runs as llama-bench and its kin would.

    That is llama-bench (json, jsonl, csv, md, sql), llama-sweep-bench, or github-action-benchmark. mainline's
    compare-llama-bench.py reads json, jsonl, csv and sqlite; ik_llama.cpp's sweep-bench-plot.py reads sweep,
    one file per sweep: give --output a folder where there are several.
    """
    from harness.store.runs import read_run  # noqa: PLC0415

    folders = [run_folder(run, results) for run in runs] if runs else [run_folder(None, results)]
    records = [record for folder in folders for record in read_run(folder).records]
    if form == "sqlite":
        _sqlite(records, output)
    elif form == "sweep":
        _sweeps(records, output)
    else:
        _put(_text(records, form, guard_formulas=guard_formulas), output)


def _text(records: "Sequence[Record]", form: Format, *, guard_formulas: bool) -> str:
    from harness.store.github_action import bigger_is_better  # noqa: PLC0415
    from harness.store.llama_bench_out import render  # noqa: PLC0415
    from harness.store.sweep_out import sweep_jsonl  # noqa: PLC0415

    if form == "github-action":
        return bigger_is_better(records)
    if form == "sweep-jsonl":
        return sweep_jsonl(records)
    return render(records, form, guard_formulas=guard_formulas)


def _put(text: str, output: Path | None) -> None:
    if output is None:
        put(text)
    else:
        output.write_text(text)
        say(f"written: {output}")


def _sqlite(records: "Sequence[Record]", output: Path | None) -> None:
    from harness.store.llama_bench_sqlite import write_sqlite  # noqa: PLC0415

    if output is None:
        raise ConfigError("--format sqlite writes a file: name it with --output, for example llama-bench.sqlite")
    n_rows = write_sqlite(records, output)
    say(f"written: {output}, {n_rows} rows")


def _sweeps(records: "Sequence[Record]", output: Path | None) -> None:
    from harness.store.sweep_out import sweep_table, sweeps  # noqa: PLC0415

    found = list(sweeps(records))
    if not found:
        raise ResultError("no case of these runs is a sweep. Other formats hold every test.")
    if output is None or (len(found) == 1 and not output.is_dir()):
        _put("\n".join(sweep_table(record) for record in found), output)
        return
    output.mkdir(parents=True, exist_ok=True)
    for record in found:
        _put(sweep_table(record), output / f"sweep-{record.run}-{record.case.case_id}.md")
