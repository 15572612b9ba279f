"""`harness profile`: where the time goes, operation by operation, in a pass of its own."""

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.arguments import ConfigFile, Only, Set, command_app
from harness.cli.talk import put, say_notes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.profile import CaseProfile
    from harness.records.record import Limits

app = command_app()


@app.command()
def profile(
    config: ConfigFile,
    *,
    only: Only = None,
    overrides: Set = None,
    output: Annotated[Literal["md", "json"], typer.Option("-o", "--output", help="What standard output gets.")] = "md",
) -> None:
    """Time every operation of a config's rows.

    Beside each stand its bytes, its multiplications and this machine's limits. Timing operations costs a little, so
    these times enter no result. The core on a CPU or on a card can be profiled.
    """
    from harness.cli.progress import RunProgress  # noqa: PLC0415
    from harness.config import expand, labels, load_config  # noqa: PLC0415
    from harness.runner.profiling import profile_cases  # noqa: PLC0415

    expansion = expand(load_config(config, overrides or ()), only or ())
    say_notes(expansion.notes)
    names = {case.case_id: label for case, label in zip(expansion.cases, labels(expansion.cases), strict=True)}
    with RunProgress(names) as progress:
        found, limits = profile_cases(expansion, progress)
    put(_as_json(found, limits) if output == "json" else "\n".join(_as_markdown(found, limits, list(names.values()))))


def _as_markdown(found: "Sequence[CaseProfile]", limits: "Limits", labels: "Sequence[str]") -> "Iterator[str]":
    from harness.report.markdown import escape, table_markdown  # noqa: PLC0415
    from harness.report.matching import matching  # noqa: PLC0415
    from harness.report.ops import limits_line, profile_table  # noqa: PLC0415

    for profiled, label in zip(found, labels, strict=True):
        yield f"## {escape(label)}\n\n{escape(profiled.case.model.label)}\n"
        for row in profiled.rows:
            table = profile_table(profiled, row, limits)
            yield f"{escape(table.caption)}\n\n{table_markdown(table)}\n"
        yield f"{escape(limits_line(matching(limits, profiled.case.axes)))}\n"


def _as_json(found: "Sequence[CaseProfile]", limits: "Limits") -> str:
    from dataclasses import asdict  # noqa: PLC0415

    return json.dumps({"limits": asdict(limits), "cases": [asdict(case) for case in found]}, indent=1, allow_nan=False)
