"""`--set axis=value` for commands that have no config: one point of the matrix, checked as a config is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.config.axes import MATRIX
from harness.config.nodes import MappingNode, ScalarNode
from harness.config.place import Place
from harness.config.problems import Problems
from harness.config.source import Mark, Source
from harness.config.tree import parse_source
from harness.records.axes import Axes


def read_axes(settings: Sequence[str], start: Axes | None = None) -> Axes:
    """`start` (the defaults) with every `axis=value` applied, the last one winning. Errors: ConfigError."""
    problems = Problems()
    axes = start or Axes()
    for text in settings:
        values = MATRIX.read(_mapping(text, problems), Place("", problems)) or {}
        for name, given in values.items():
            if len(given) > 1:
                problems.add(_mark(text), name, f"one value is wanted here, found {len(given)}")
            changed: dict[str, Any] = {name: None if name == "layers" and not given[0] else given[0]}
            axes = replace(axes, **changed)
    problems.stop_if_any()
    return axes


def _mapping(text: str, problems: Problems) -> MappingNode:
    name, equals, value = text.partition("=")
    mark = _mark(text)
    if not equals or not value.strip():
        problems.add(mark, "", "expected AXIS=VALUE", "such as --set fused_moe=off")
        return MappingNode(mark, ())
    node = parse_source(mark.source, problems, skip=len(name) + 1)
    return MappingNode(mark, ((ScalarNode(mark, name.strip()), node),))


def _mark(text: str) -> Mark:
    return Mark(Source("--set", text), 1, 1, max(1, len(text.partition("=")[0])))
