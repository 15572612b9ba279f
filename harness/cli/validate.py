"""`harness validate`: whether a config would run here, with `auto` as a CPU and as a GPU; measures nothing."""

from functools import partial
from typing import TYPE_CHECKING

from harness.cli.arguments import ConfigFile, Set, command_app
from harness.cli.talk import put

if TYPE_CHECKING:
    from harness.config import Expansion

app = command_app()

AUTO = ("cpu:0", "cuda:0")


@app.command()
def validate(config: ConfigFile, overrides: Set = None) -> None:
    """Check a config without running it.

    Every mistake is shown at once, with its line. Exits with 2 if there is one.
    """
    from harness.config import expand, load_config  # noqa: PLC0415

    read = load_config(config, overrides or ())
    expansions = [expand(read, resolve=partial(_assumed, device)) for device in AUTO]
    put(f"{config}: good")
    for line in dict.fromkeys(line for expansion in expansions for line in _summary(expansion)):
        put(f"  {line}")


def _assumed(device: str) -> tuple[str, str]:
    return device, "assumed, nothing was asked of the machine"


def _summary(expansion: "Expansion") -> list[str]:
    from harness.config.units import say_duration  # noqa: PLC0415

    cases = expansion.cases
    devices = ", ".join(dict.fromkeys(case.axes.device for case in cases))
    budget_ns = sum(case.sampling.time_budget_ns for case in cases)
    models = dict.fromkeys(case.model.label for case in cases)
    count = f"{len(cases)} case{'s' if len(cases) != 1 else ''} on {devices}"
    return [f"{count} in about {say_duration(budget_ns)} of sampling: {', '.join(models)}"]
