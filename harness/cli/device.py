"""`--device auto` for commands that have no config."""

from dataclasses import replace

from harness.cli.talk import say
from harness.records.axes import Axes


def with_device(axes: Axes) -> Axes:
    """`axes` with `auto` replaced by a device of this machine; the reason is said."""
    if axes.device != "auto":
        return axes
    from harness.core.devices import resolve_auto  # noqa: PLC0415

    device, why = resolve_auto()
    say(f"device: auto is {device}: {why}")
    return replace(axes, device=device)
