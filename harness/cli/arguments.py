"""Arguments that several commands share, each with one name and one meaning."""

from pathlib import Path
from typing import Annotated, Any

import typer

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML config, such as configs/gptoss.yaml.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Replace a value of the config; repeatable."),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="GLOB", help="Keep cases whose label or id matches; repeatable."),
]
Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="Folder of run folders.")]
RunName = Annotated[
    str | None,
    typer.Argument(metavar="[RUN]", help="A run folder, its name, or a part of it; the newest by default."),
]
Reference = Annotated[
    list[str] | None,
    typer.Option("--reference", metavar="NAME", help="Show a published figure beside the run, as ik-1137; repeatable."),
]


def command_app(**options: Any) -> typer.Typer:
    """The Typer of a command's module: plain help, no completion switches of its own."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **options)


RESULTS = Path("results")
REPORTS = Path("reports")
