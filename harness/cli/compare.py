"""`harness compare A B`: what differs, by how much, and whether that can be told."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.arguments import RESULTS, Results, command_app
from harness.cli.index_access import HERE, Database, Repo, open_results
from harness.cli.talk import put, say
from harness.errors import ResultError

if TYPE_CHECKING:
    from harness.cli.sides import Matched, Side
    from harness.records.comparison import Comparison
    from harness.store.index import Index
    from harness.store.measures import Measure

app = command_app()

Argument = typer.Argument(help="A run, a file of results, a commit, or `baseline`.")


@app.command()
def compare(
    a: Annotated[str, Argument],
    b: Annotated[str, Argument],
    results: Results = RESULTS,
    database: Database = None,
    repo: Repo = HERE,
    output: Annotated[Literal["text", "md", "csv", "json"], typer.Option("-o", "--output", help="The form.")] = "text",
    everything: Annotated[bool, typer.Option("--all", help="Memory, start and energy too, not only speeds.")] = False,
) -> None:
    """Compare two results, with intervals and verdicts.

    Shown is the speed of B over that of A, with its interval over sessions. A and B are runs, files of llama-bench
    or llama-sweep-bench, commits with results here, or `baseline`. Repetitions in one process say nothing about
    the next process: with a single session on a side, the series' history tells how sessions differ, and
    without one a spread of 1.5 % is assumed.
    """
    from harness.cli.sides import BASELINE, Sides, match  # noqa: PLC0415
    from harness.store.commits import Repository  # noqa: PLC0415

    if a == b == BASELINE:
        raise ResultError("name the run to compare with the baseline, as in `harness compare baseline RUN`")
    with open_results(results, database) as index:
        sides = Sides(results, index, Repository(repo))
        left, right = (_speeds(side, everything=everything) for side in (sides.side(a, b), sides.side(b, a)))
        spreads = _spreads(index)
    for side in (left, right):
        for warning in side.warnings:
            say(f"{side.name}: {warning}")
    matched = match(left, right)
    if not matched.rows:
        raise ResultError(f"{left.name} and {right.name} have no test in common: {_apart(matched)}")
    _show(compared(left.name, right.name, matched, spreads), output)


def _speeds(side: "Side", *, everything: bool) -> "Side":
    from harness.cli.evidence import SPEEDS  # noqa: PLC0415

    return side if everything else replace(side, measures=tuple(m for m in side.measures if m.key.metric in SPEEDS))


def _apart(matched: "Matched") -> str:
    if matched.sides:
        return "; ".join(
            f"{name} {before or '-'} against {after or '-'}" for name, (before, after) in matched.sides.items()
        )
    return f"{matched.alone[0]} and {matched.alone[1]} series"


def _spreads(index: "Index") -> dict[str, float]:
    from harness.cli.evidence import spreads  # noqa: PLC0415

    return spreads(index)


def compared(a: str, b: str, matched: "Matched", spreads: dict[str, float]) -> "Comparison":
    """Every joined series with its verdict."""
    from harness.records.comparison import Compared, Comparison  # noqa: PLC0415
    from harness.stats.unpaired import compare_sessions  # noqa: PLC0415

    rows = []
    for columns, left, right in matched.rows:
        sign = 1.0 if left[0].key.higher_is_better else -1.0
        logs = [[sign * math.log(m.level) for m in side if m.level] for side in (left, right)]
        known = [spreads[m.key.series_id] for m in (*left, *right) if m.key.series_id in spreads]
        within = max(standard_error(measure) for measure in (*left, *right))
        found = compare_sessions(logs[0], logs[1], max(known) if known else None, within=within)
        values = [math.exp(sign * sum(log) / len(log)) for log in logs]  # so that the ratio is that of the values
        rows.append(
            Compared(
                columns,
                left[0].key.unit,
                values[0],
                values[1],
                (len(left), len(right)),
                found.ratio,
                found.low,
                found.high,
                found.verdict,
                found.basis,
            )
        )
    return Comparison(a, b, matched.sides, tuple(rows), matched.alone)


def standard_error(measure: "Measure") -> float:
    """Of a session's mean by its own samples, relative; 0 where they are not known."""
    if not measure.value or not measure.sd or not measure.n_samples:
        return 0.0
    return measure.sd / measure.value / math.sqrt(measure.n_samples)


def _show(found: "Comparison", output: str) -> None:
    from harness.report.comparison import comparison_document, comparison_table  # noqa: PLC0415

    if output == "json":
        from harness.records.json import to_json  # noqa: PLC0415

        put(to_json(found, indent=1))
    elif output == "csv":
        from harness.report.table import to_csv  # noqa: PLC0415

        put(to_csv(comparison_table(found)))
    elif output == "md":
        from harness.report.markdown import document_markdown  # noqa: PLC0415

        put(document_markdown(comparison_document(found)))
    else:
        from rich.console import Console  # noqa: PLC0415

        from harness.report.terminal import show_document  # noqa: PLC0415

        show_document(comparison_document(found), Console(highlight=False))
