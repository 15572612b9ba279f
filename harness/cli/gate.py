"""`harness gate`: has a commit made something slower? Exits with 1 for a regression, 4 where it cannot tell, else 0."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.arguments import RESULTS, Results, command_app
from harness.cli.failure import INTERRUPTED
from harness.cli.gate_output import Form, exit_of, show, write
from harness.cli.index_access import HERE, Database, Repo, open_results
from harness.cli.talk import say
from harness.errors import ConfigError, RunError

if TYPE_CHECKING:
    from harness.cli.evidence import Evidence
    from harness.config.acknowledged import Acknowledgement
    from harness.records.history import Commit, History
    from harness.stats.gate import Again
    from harness.stats.judgement import Rules
    from harness.store.commits import Repository
    from harness.store.index import Index

app = command_app()

Metric = Annotated[
    list[str] | None,
    typer.Option("--metric", metavar="NAME", help="What is guarded: pp, tg, pg, load (all by default); repeatable."),
]


@app.command()
def gate(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="The run to judge; the newest by default.")] = None,
    results: Results = RESULTS,
    database: Database = None,
    repo: Repo = HERE,
    metric: Metric = None,
    floor: Annotated[str, typer.Option("--floor", help="The least slowdown worth an alarm.")] = "1 %",
    reruns: Annotated[int, typer.Option("--reruns", min=0, max=50, help="Fresh sessions per suspect.")] = 5,
    window: Annotated[int, typer.Option("--window", min=5, help="How many earlier nights count.")] = 30,
    baseline_build: Annotated[
        str,
        typer.Option(
            "--baseline-build",
            metavar="COMMAND",
            help="Given the baseline's commit, prints the Python that has its build; suspects take turns with it.",
        ),
    ] = "",
    acknowledged: Annotated[
        Path | None, typer.Option("--acknowledged", metavar="FILE", help="Slowdowns accepted for a while, YAML.")
    ] = None,
    output: Annotated[Form, typer.Option("-o", "--output", help="What standard output gets.")] = "text",
    markdown: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="For a PR comment.")] = None,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="For a build server.")] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="For a program.")] = None,
    page: Annotated[Path | None, typer.Option("--page", metavar="DIR", help="Folder of the nightly HTML page.")] = None,
) -> None:
    """Judge a run against the nights before it.

    Suspects are measured again in fresh processes first. Exits with 1 if something became slower, with 4 if something
    cannot be told, with 0 otherwise.
    """
    from harness.stats.judgement import Rules  # noqa: PLC0415

    rules = Rules(floor=_share(floor), reruns=reruns, window=window)
    with open_results(results, database) as index:
        accepted = _accepted(acknowledged)
        case = _Case(index, results, run, repo, tuple(metric or ()), rules, accepted, baseline_build)
        outcome = _judged(case)
    show(outcome.history, outcome.between, output)
    write(outcome.history, outcome.between, {"md": markdown, "junit": junit, "json": json}, page)
    raise typer.Exit(exit_of(outcome.history) if outcome.whole else INTERRUPTED)


@dataclass(frozen=True)
class _Case:
    """What is to be judged, and by which rules."""

    index: "Index"
    results: Path
    run: str | None
    repo: Path
    metrics: tuple[str, ...]
    rules: "Rules"
    acknowledged: "tuple[Acknowledgement, ...]"
    baseline_build: str


@dataclass(frozen=True)
class _Outcome:
    """The series with their verdicts, the commits since the baseline, and whether all re-runs were made."""

    history: "History"
    between: "tuple[Commit, ...]"
    whole: bool


def _judged(case: _Case) -> _Outcome:
    from harness.cli.evidence import SPEEDS, gather, machine, reruns, suite, turns  # noqa: PLC0415
    from harness.cli.histories import history  # noqa: PLC0415
    from harness.stats.gate import again, judge  # noqa: PLC0415
    from harness.store.commits import Repository  # noqa: PLC0415
    from harness.store.runs import find_run  # noqa: PLC0415

    repository = Repository(case.repo)
    name = find_run(case.run, case.results).name if case.run else None
    evidence = gather(case.index, case.results, repository, name, case.metrics or SPEEDS)
    _introduce(evidence)
    whole = _look_again(evidence, again(suite(evidence), case.rules), case)
    case.index.sync(case.results)
    evidence = gather(case.index, case.results, repository, evidence.run.run, case.metrics or SPEEDS)
    tonight, fresh, pairs = suite(evidence), reruns(evidence), turns(evidence, case.results)
    judgements = judge(tonight, fresh, case.rules, machine(evidence), pairs)
    found = history(evidence, judgements, repository, case.acknowledged)
    return _Outcome(found, _between(evidence, repository), whole)


def _look_again(evidence: "Evidence", wanted: "Again", case: _Case) -> bool:
    """Give every suspect its fresh sessions, where that is possible. False if interrupted."""
    from harness.cli.evidence import reruns  # noqa: PLC0415
    from harness.cli.rerun import measure_again, obstacle  # noqa: PLC0415
    from harness.store.runs import read_run  # noqa: PLC0415

    done = reruns(evidence)
    asked = wanted.suspects or wanted.company[:1]
    lacking = max((case.rules.reruns - len(done.get(name, ())) for name in asked), default=0)
    if lacking <= 0:
        return True
    why = obstacle(read_run(evidence.run.run, case.results).info)
    if why:
        say(f"suspects are not measured again: {why}. They are judged by their first session.")
        return True
    if case.baseline_build:
        try:
            return _beside_baseline(evidence, wanted, case, lacking)
        except RunError as error:
            say(f"suspects do not take turns with the baseline's build: {error} They are measured again without it.")
    return measure_again(evidence, wanted, case.results, lacking)


def _beside_baseline(evidence: "Evidence", wanted: "Again", case: _Case, times: int) -> bool:
    """Errors: RunError where there is no build to take turns with."""
    from harness.cli.baseline_build import Builds  # noqa: PLC0415
    from harness.cli.evidence import suite  # noqa: PLC0415
    from harness.cli.rerun import measure_beside_baseline  # noqa: PLC0415
    from harness.runner.identity import harness_commit  # noqa: PLC0415
    from harness.stats.gate import newest_of_level  # noqa: PLC0415

    held_against = newest_of_level(suite(evidence), case.rules)
    builds = Builds(case.baseline_build, harness_commit())
    return measure_beside_baseline(evidence, wanted, held_against, builds, case.results, times)


def _introduce(evidence: "Evidence") -> None:
    against = f"{evidence.baseline.run.run} ({evidence.baseline.how})" if evidence.baseline else "nothing yet"
    say(f"{evidence.run.run}, {len(evidence.tracks)} series, against {against}")


def _between(evidence: "Evidence", repository: "Repository") -> "tuple[Commit, ...]":
    base = evidence.baseline.run.commits if evidence.baseline else ()
    return repository.between(base[0], evidence.run.commits[0]) if base and evidence.run.commits else ()


def _share(text: str) -> float:
    from harness.config.units import share  # noqa: PLC0415

    try:
        return share(text)
    except ValueError as error:
        raise ConfigError(f"--floor {text}: {error}") from None


def _accepted(path: Path | None) -> "tuple[Acknowledgement, ...]":
    from harness.config.acknowledged import load_acknowledged  # noqa: PLC0415

    return () if path is None else load_acknowledged(path)
