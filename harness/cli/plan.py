"""`harness plan`: what a run would do, in its order, with estimates of time, memory and disk; measures nothing."""

from typing import Annotated

import typer

from harness.cli.arguments import ConfigFile, Only, Set, command_app
from harness.cli.talk import put, say_notes

app = command_app()


@app.command()
def plan(
    config: ConfigFile,
    *,
    only: Only = None,
    overrides: Set = None,
    tensors: Annotated[bool, typer.Option("--tensors", help="Also where every tensor goes and what merges.")] = False,
    program: Annotated[bool, typer.Option("--program", help="Also every operation with its bytes and MACs.")] = False,
) -> None:
    """Print the cases of a config and what they take.

    Cases stand in the order of the run; time, memory and disk are estimates.
    """
    from harness.cli.outlook import case_table, copies, distinct_plans, outlooks, totals  # noqa: PLC0415
    from harness.config import expand, labels, load_config  # noqa: PLC0415
    from harness.core.plan import format_plan  # noqa: PLC0415
    from harness.core.program.show import format_program  # noqa: PLC0415
    from harness.runner.order import groups  # noqa: PLC0415

    expansion = expand(load_config(config, overrides or ()), only or ())
    say_notes(expansion.notes)
    cases = [case for group in groups(expansion.cases) for case in group]
    found = outlooks(cases, labels(cases))
    put("\n".join([*case_table(found), "", *totals(found), *copies(found)]))
    for title, planned in distinct_plans(found) if tensors or program else ():
        put(f"\n{title}")
        if tensors:
            put(format_plan(planned.plan))
        if program:
            put(format_program(planned.program, planned.plan))
