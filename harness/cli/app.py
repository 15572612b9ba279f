"""The command line's table of contents: one module per command, imported when it is asked for.

A module here has `app`, a Typer with one command (or several, which makes a group). Adding a command is that file and
one line in COMMANDS. Standard output carries data, standard error carries talk.
"""

import os
import sys
from importlib import import_module
from keyword import iskeyword
from typing import Any

import typer
import typer.main
from typer.core import TyperGroup

from harness.cli.failure import FAILED, INTERRUPTED, exit_code, explain

COMMANDS = (
    "run",
    "ab",
    "profile",
    "validate",
    "plan",
    "report",
    "show",
    "plot",
    "view",
    "model",
    "doctor",
    "selftest",
    "compare",
    "history",
    "reproduce",
    "baseline",
    "gate",
    "export",
    "import",
    "db",
)


class Commands(TyperGroup):
    """Imports a command's module on first use, and turns what goes wrong in it into a message and an exit code."""

    def list_commands(self, _ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        keyword = "_" if iskeyword(cmd_name) else ""  # `import` cannot be a module's name
        module = import_module(f"harness.cli.{cmd_name.replace('-', '_')}{keyword}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not ctx.resilient_parsing:
            from harness.config.guess import nearest  # noqa: PLC0415

            guess = nearest(args[0], COMMANDS)
            ctx.fail(f"no command '{args[0]}'" + (f", did you mean {guess}?" if guess else ""))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # the reader of our output has seen enough
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  nothing may be flushed into the pipe at exit
            raise typer.Exit(0) from None
        except Exception as error:
            code = exit_code(error)
            if code is None:
                raise
            typer.echo(explain(error), err=True)
            raise typer.Exit(code) from None


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def _root() -> None:
    """Benchmark mixture-of-experts language models: what one choice changes, measured side by side."""


def main() -> None:
    """The `harness` command. What goes wrong before a command has begun ends in a sentence, too."""
    try:
        app(prog_name="harness")
    except Exception as error:  # noqa: BLE001  nothing else stands between it and the user
        typer.echo(explain(error), err=True)
        sys.exit(exit_code(error) or FAILED)
