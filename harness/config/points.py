"""The points of the matrix: every combination of axis values for one model, one engine and one device."""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from harness.config.types import AxisValues, Config, Point, Settings
from harness.records.axes import Axes

MAX_CASES = 10_000
_CORNER = ("engine", "device")


@dataclass(frozen=True)
class Corner:
    """The part of a point that decides which conditions apply, and the settings that hold there."""

    model: str
    engine: str
    device: str
    settings: Settings


def points(config: Config, corner: Corner) -> Iterator[Axes]:
    """Axes of the matrix at `corner`, without those an `exclude` names."""
    for values in _combinations(corner.settings.axes, {}, corner):
        axes = _axes(values)
        if not any(_names(point, corner.model, axes) for point in config.exclude):
            yield axes


def extra_points(point: Point, corner: Corner) -> Iterator[Axes]:
    """Axes of one `include` entry at `corner`; an axis it does not name takes the matrix's first value."""
    first = {name: values[0] for name, values in corner.settings.axes.items()}
    for values in _combinations(point.axes, first, corner):
        yield _axes(values)


def count(settings: Settings, extra: Point | None = None) -> int:
    """How many cases the matrix, or one `include` entry, holds at one corner, before any is made."""
    axes = settings.axes if extra is None else extra.axes
    sizes = (len(values) for name, values in axes.items() if name not in _CORNER)
    return math.prod(sizes) * len(settings.tests)


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern of `when`, include or exclude covers `name`; an empty one covers everything."""
    return not pattern or fnmatchcase(name, pattern)


def covers_device(pattern: str, device: str) -> bool:
    """`cpu` covers every device of that sort, `cpu:0` itself; of several devices one is enough."""
    return not pattern or any(pattern in (part, part.partition(":")[0]) for part in device.split(","))


def _combinations(axes: AxisValues, rest: Mapping[str, Any], corner: Corner) -> Iterator[dict[str, Any]]:
    free = {name: values for name, values in axes.items() if name not in _CORNER}
    for combination in itertools.product(*free.values()):
        chosen = dict(zip(free, combination, strict=True))
        yield {**rest, **chosen, "engine": corner.engine, "device": corner.device}


def _axes(values: Mapping[str, Any]) -> Axes:
    return Axes(**{**values, "layers": values.get("layers") or None})


def _names(point: Point, model: str, axes: Axes) -> bool:
    """Whether `point` names this one; `layers: all` is 0 in a config and None in a case."""
    written = {name: getattr(axes, name) for name in point.axes}
    if "layers" in written:
        written["layers"] = written["layers"] or 0
    return all(written[name] in values for name, values in point.axes.items()) and matches(point.model, model)
