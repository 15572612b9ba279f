"""`harness ab`: what one choice changes, and nothing else, measured between live processes that take turns."""

import json
import sys
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.arguments import REPORTS, RESULTS, ConfigFile, Only, Results, Set, command_app
from harness.cli.failure import CANNOT_TELL, FAILED, INTERRUPTED, first_that_applies
from harness.cli.page import write_page
from harness.cli.talk import put, say, say_notes

if TYPE_CHECKING:
    from harness.config import Expansion
    from harness.records.case import Case
    from harness.report.duels import Duel
    from harness.runner.run import RunOutcome

app = command_app()


@app.command()
def ab(
    config: ConfigFile,
    *,
    axis: Annotated[
        str | None,
        typer.Option("--axis", metavar="AXIS", help="The axis to compare; `compare` of the config by default."),
    ] = None,
    only: Only = None,
    overrides: Set = None,
    results: Results = RESULTS,
    output: Annotated[Literal["md", "json"], typer.Option("-o", "--output", help="What standard output gets.")] = "md",
    reports: Annotated[Path, typer.Option("--reports", metavar="DIR", help="Folder of reports.")] = REPORTS,
) -> None:
    """Compare the values of one axis in turns.

    Each value has a process that stays loaded; samples alternate, in several sittings with fresh processes. Every
    value is compared with the first. Exits with 3 if a side failed or is INVALID, 4 if a verdict is CANNOT TELL.
    """
    from harness.report.duels import duels  # noqa: PLC0415

    expansion = _expanded(config, axis, overrides or [], only or [])
    outcome = _measure(expansion, results)
    found = duels(outcome.records)
    put(_as_json(found) if output == "json" else _as_markdown(outcome, found))
    write_page(outcome.run_dir, reports)
    raise typer.Exit(_code(outcome, found))


def _expanded(path: Path, axis: str | None, overrides: list[str], only: list[str]) -> "Expansion":
    """The cases that have an opponent. A switch asked for that stands at one value is compared off and on.

    Errors: ConfigError if there is nothing to compare.
    """
    from harness.config.axes import ALIASES, AXES  # noqa: PLC0415
    from harness.config.groups import OneOrMany  # noqa: PLC0415
    from harness.config.kinds import Flag  # noqa: PLC0415
    from harness.errors import ConfigError  # noqa: PLC0415

    name = ALIASES.get(axis or "", axis or "")
    if name and name not in AXES:
        raise ConfigError(f"--axis {axis}: no such axis. There are {', '.join(AXES)}.")
    expansion, compared = _compared(path, name, overrides, only)
    if name and not compared and AXES[name].kind.schema() == OneOrMany(Flag()).schema():
        expansion, compared = _compared(path, name, [*overrides, f"{name}=[off, on]"], only)
    if not compared:
        what = f"{name} has one value" if name else "no switch has two values"
        hint = f"--set '{name}=[FIRST, SECOND]'" if name else "--axis merge_up_gate"
        raise ConfigError(f"{path}: there is nothing to compare, because {what} in these cases. Try {hint}.")
    say_notes(expansion.notes)
    if left_out := len(expansion.cases) - len(compared):
        say(f"{left_out} case{'s' if left_out > 1 else ''} without an opponent left out")
    return replace(expansion, cases=compared)


def _compared(path: Path, axis: str, overrides: list[str], only: list[str]) -> "tuple[Expansion, tuple[Case, ...]]":
    """A config with `axis` under comparison (its own if that is empty), and those of its cases that are compared."""
    from harness.config import expand, load_config  # noqa: PLC0415
    from harness.runner.order import groups  # noqa: PLC0415

    loaded = load_config(path, overrides)
    expansion = expand(replace(loaded, compare=axis or loaded.compare), only)
    return expansion, tuple(case for group in groups(expansion.cases) if len(group) > 1 for case in group)


def _measure(expansion: "Expansion", results: Path) -> "RunOutcome":
    from harness.cli.progress import TurnsProgress  # noqa: PLC0415
    from harness.config import labels  # noqa: PLC0415
    from harness.runner.ab import execute_ab  # noqa: PLC0415

    names = {case.case_id: label for case, label in zip(expansion.cases, labels(expansion.cases), strict=True)}
    with TurnsProgress(names) as progress:
        return execute_ab(expansion, results, ("harness", *sys.argv[1:]), progress)


def _as_markdown(outcome: "RunOutcome", found: "tuple[Duel, ...]") -> str:
    """A table per model; where engines are compared, another with ours against the fastest of the rest."""
    from harness.report.duels import against_best, by_model, duel_table  # noqa: PLC0415
    from harness.report.markdown import escape, table_markdown  # noqa: PLC0415

    best = by_model(against_best(outcome.records)) if any("engine=" in duel.base for duel in found) else {}
    lines = []
    for model, duels in by_model(found).items():
        lines += [f"**{escape(model)}**", "", table_markdown(duel_table(duels, model)), ""]
        if model in best:
            lines += ["Beside the fastest other engine:", "", table_markdown(duel_table(best[model], model)), ""]
    return "\n".join(lines)


def _as_json(found: "tuple[Duel, ...]") -> str:
    """A list of duels; a bound that is not known, as from a single pair, is null."""
    from dataclasses import asdict  # noqa: PLC0415

    rows = [asdict(duel) for duel in found]
    for row in rows:
        result = row["result"] or {}
        result |= {name: None for name, value in result.items() if isinstance(value, float) and not isfinite(value)}
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)


def _code(outcome: "RunOutcome", found: "tuple[Duel, ...]") -> int:
    codes = [INTERRUPTED] if outcome.interrupted else []
    codes += [FAILED for record in outcome.records if record.status != "ok"]
    codes += [CANNOT_TELL for duel in found if duel.verdict == "CANNOT TELL"]
    return first_that_applies(codes)
