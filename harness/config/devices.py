"""`device: auto` becomes a device of this machine, once per config, with the reason as a note."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness.config.types import AxisValues, Config
from harness.records.case import Note

Resolver = Callable[[], tuple[str, str]]
"""Returns the device that `auto` means here, and why."""


def resolve_auto() -> tuple[str, str]:
    """The core's own choice."""
    from harness.core.devices import resolve_auto as choose  # noqa: PLC0415  may ask a driver

    return choose()


def settle_devices(config: Config, resolve: Resolver = resolve_auto) -> tuple[Config, tuple[Note, ...]]:
    """`config` with every `auto` replaced. The resolver is asked only where `auto` is written or left unsaid."""
    axes = {"device": ("auto",), **config.settings.axes}
    written = [axes, *(point.axes for point in (*config.include, *config.exclude))]
    if not any("auto" in values.get("device", ()) for values in written):
        return config, ()
    device, why = resolve()

    def settled(values: AxisValues) -> dict[str, Any]:
        named = (device if name == "auto" else name for name in values.get("device", ()))
        return {**values, "device": tuple(dict.fromkeys(named))} if "device" in values else dict(values)

    include = tuple(replace(point, axes=settled(point.axes)) for point in config.include)
    exclude = tuple(replace(point, axes=settled(point.axes)) for point in config.exclude)
    settings = replace(config.settings, axes=settled(axes))
    changed = replace(config, settings=settings, include=include, exclude=exclude)
    return changed, (Note("matrix.device", f"auto is {device}: {why}"),)
