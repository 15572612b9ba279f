"""The tree a config is before anything gives it meaning: text, lists and mappings, each with its mark.

Scalars stay text; only the kind that wants a number or a switch decides what the text says.
"""

import math
import re
from dataclasses import dataclass

from harness.config.source import Mark


@dataclass(frozen=True)
class ScalarNode:
    """`plain` text was typed without quotes and may be a number, a switch or nothing at all."""

    mark: Mark
    text: str
    plain: bool = True

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in _NULLS


@dataclass(frozen=True)
class SequenceNode:
    mark: Mark
    items: tuple["Node", ...]


@dataclass(frozen=True)
class MappingNode:
    mark: Mark
    entries: tuple[tuple[ScalarNode, "Node"], ...]

    def get(self, key: str) -> "Node | None":
        return next((value for name, value in self.entries if name.text == key), None)


@dataclass(frozen=True)
class BrokenNode:
    """Stands where a mistake has been reported already; readers pass over it in silence."""

    mark: Mark


Node = ScalarNode | SequenceNode | MappingNode | BrokenNode

_NULLS = {"", "~", "null", "Null", "NULL"}
_SWITCHES = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}
_INT = re.compile(r"[-+]?[0-9]{1,30}")
_OCTAL = re.compile(r"0o[0-7]{1,30}")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,30}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")


def join(path: str, key: str) -> str:
    """The path of `key` below `path`."""
    return f"{path}.{key}" if path else key


def as_switch(node: ScalarNode) -> bool | None:
    """on, off, yes, no, true, false as typed; None for anything else. A quoted "on" is text."""
    return _SWITCHES.get(node.text.lower()) if node.plain else None


def as_int(node: ScalarNode) -> int | None:
    """A whole number by YAML 1.2's core rules (https://yaml.org/spec/1.2.2/#1032-tag-resolution): 010 is ten."""
    if not node.plain:
        return None
    for pattern, base in ((_INT, 10), (_OCTAL, 8), (_HEX, 16)):
        if pattern.fullmatch(node.text):
            return int(node.text, base)
    return None


def as_float(node: ScalarNode) -> float | None:
    """A finite number by YAML 1.2's core rules: 1e-3 is one, 12:30 and 1_000 are not."""
    whole = as_int(node)
    if whole is not None:
        return float(whole)
    if not node.plain or not _FLOAT.fullmatch(node.text):
        return None
    number = float(node.text)
    return number if math.isfinite(number) else None


def describe(node: Node) -> str:
    """What stands there, in words for a message."""
    if isinstance(node, SequenceNode):
        return "a list"
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, BrokenNode) or node.is_null:
        return "nothing"
    text = node.text if len(node.text) <= 60 else node.text[:57] + "..."
    if as_float(node) is not None or as_switch(node) is not None:
        return text
    return f"the text '{text}'"
