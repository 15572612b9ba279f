"""`harness history`: a metric over time, its change points and the commits around them."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.arguments import RESULTS, Results, command_app
from harness.cli.index_access import HERE, Database, Repo, open_results
from harness.cli.talk import put, say
from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.records.history import History
    from harness.store.commits import Repository

app = command_app()


@app.command()
def history(
    metric: Annotated[
        str, typer.Argument(metavar="METRIC", help="pp, tg, pg, load, start, ttft, rss, vram, energy or all.")
    ],
    results: Results = RESULTS,
    database: Database = None,
    repo: Repo = HERE,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="GLOB", help="Keep series whose name matches; repeatable.")
    ] = None,
    output: Annotated[Literal["text", "md", "json"], typer.Option("-o", "--output", help="The form.")] = "text",
    page: Annotated[Path | None, typer.Option("--page", metavar="DIR", help="Also the HTML page, into DIR.")] = None,
) -> None:
    """Print the series of a metric and their steps.

    Shown is the newest run's class of machine. A step is proposed by its size and kept if shuffled nights hardly
    ever show one as large.
    """
    from harness.store.commits import Repository  # noqa: PLC0415

    repository = Repository(repo)
    found = _history(_metrics(metric), results, database, repository, tuple(only or ()))
    if output == "json":
        from harness.records.json import to_json  # noqa: PLC0415

        put(to_json(found, indent=1))
    else:
        _show(found, repository, output)
    if page is not None:
        from harness.report.nightly import write_history  # noqa: PLC0415

        say(f"page: {write_history(found, page)}")


def _metrics(metric: str) -> tuple[str, ...]:
    from harness.config.guess import nearest  # noqa: PLC0415
    from harness.store.measures import METRICS  # noqa: PLC0415

    if metric == "all":
        return tuple(METRICS)
    if metric not in METRICS:
        guess = nearest(metric, METRICS)
        hint = f"did you mean {guess}?" if guess else f"there are {', '.join(METRICS)} and all"
        raise ConfigError(f"no metric {metric!r}: {hint}")
    return (metric,)


def _history(
    metrics: tuple[str, ...], results: Path, database: str | None, repository: "Repository", only: tuple[str, ...]
) -> "History":
    from dataclasses import replace  # noqa: PLC0415

    from harness.cli.evidence import gather, machine, reruns, suite  # noqa: PLC0415
    from harness.cli.histories import history as made  # noqa: PLC0415
    from harness.stats.gate import judge  # noqa: PLC0415
    from harness.stats.judgement import Rules  # noqa: PLC0415

    with open_results(results, database) as index:
        evidence = gather(index, results, repository, metrics=metrics)
    if only:
        kept = tuple(t for t in evidence.tracks if any(fnmatchcase(t.name, glob) for glob in only))
        evidence = replace(evidence, tracks=kept)
    return made(evidence, judge(suite(evidence), reruns(evidence), Rules(), machine(evidence)), repository)


def _show(found: "History", repository: "Repository", output: Literal["text", "md"]) -> None:
    from harness.report.series import series_document  # noqa: PLC0415

    around = {
        (change.commit_before, change.commit_after): repository.between(change.commit_before, change.commit_after)
        for series in found.series
        for change in series.changes
    }
    document = series_document(found, around)
    if output == "md":
        from harness.report.markdown import document_markdown  # noqa: PLC0415

        put(document_markdown(document))
        return
    from rich.console import Console  # noqa: PLC0415

    from harness.report.terminal import show_document  # noqa: PLC0415

    show_document(document, Console(highlight=False))
