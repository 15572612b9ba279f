"""`--set path=value`: replaces one value of the tree before anything reads it, so overrides are checked like the file.

The last word is the command line's: a key set here is taken out of every `when` as well.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from harness.config.axes import ALIASES, AXES
from harness.config.document import DOCUMENT
from harness.config.nodes import BrokenNode, MappingNode, Node, ScalarNode, SequenceNode
from harness.config.problems import Problems
from harness.config.source import Mark, Source
from harness.config.tree import parse_source

_INDEX = re.compile(r"^\[?([0-9]{1,4})\]?(?:\.|(?=\[)|$)")


def apply_overrides(root: Node, overrides: Sequence[str], problems: Problems) -> Node:
    """The tree with every `path=value` put in its place, in order; mistakes go to `problems`."""
    for text in overrides:
        source = Source("--set", text)
        path, equals, value = text.partition("=")
        if not equals or not path.strip() or not value.strip():
            problems.add(
                Mark(source, 1, 1, max(1, len(text))), "", "expected PATH=VALUE", "such as --set time_budget='30 s'"
            )
            continue
        node = parse_source(source, problems, skip=len(path) + 1)
        full = _full_path(path.strip())
        root = _put(root, full, node, Mark(source, 1, 1, len(path)), problems)
        root = _without_in_when(root, full)
    return root


def _full_path(path: str) -> str:
    """`muge` is `matrix.merge_up_gate`."""
    first, dot, rest = path.partition(".")
    if first in DOCUMENT.fields or ALIASES.get(first, first) not in AXES:
        return path
    return f"matrix.{ALIASES.get(first, first)}{dot}{rest}"


def _put(node: Node, path: str, value: Node, mark: Mark, problems: Problems) -> Node:
    if not path:
        return value
    if isinstance(node, MappingNode):
        return _put_in_mapping(node, path, value, mark, problems)
    index = _INDEX.match(path)
    if isinstance(node, SequenceNode) and index and int(index[1]) < len(node.items):
        at = int(index[1])
        inner = _put(node.items[at], path[index.end() :], value, mark, problems)
        return replace(node, items=(*node.items[:at], inner, *node.items[at + 1 :]))
    if not isinstance(node, BrokenNode):
        problems.add(mark, path, "no such place in the config")
    return node


def _put_in_mapping(node: MappingNode, path: str, value: Node, mark: Mark, problems: Problems) -> MappingNode:
    keys = sorted((key.text for key, _ in node.entries), key=len, reverse=True)
    name = next(
        (key for key in keys if key and re.match(rf"{re.escape(key)}(?:\.|\[|$)", path)), re.split(r"[.\[]", path)[0]
    )
    rest = path[len(name) :].removeprefix(".")
    old = node.get(name) or MappingNode(mark, ())
    new = _put(old, rest, value, mark, problems)
    kept = [(key, inner) for key, inner in node.entries if ALIASES.get(key.text, key.text) != ALIASES.get(name, name)]
    at = next((i for i, (key, _) in enumerate(node.entries) if key.text == name), len(kept))
    return replace(node, entries=(*kept[:at], (ScalarNode(mark, name), new), *kept[at:]))


def _without_in_when(root: Node, path: str) -> Node:
    """`root` without the key that `path` sets in every `when`'s `set`."""
    when = root.get("when") if isinstance(root, MappingNode) else None
    if not isinstance(root, MappingNode) or not isinstance(when, SequenceNode):
        return root
    name = re.split(r"[.\[]", path.removeprefix("matrix."))[0]
    cleaned = replace(when, items=tuple(_without_in_set(item, name) for item in when.items))
    return replace(root, entries=tuple((key, cleaned if key.text == "when" else value) for key, value in root.entries))


def _without_in_set(item: Node, name: str) -> Node:
    changes = item.get("set") if isinstance(item, MappingNode) else None
    if not isinstance(item, MappingNode) or not isinstance(changes, MappingNode):
        return item
    kept = tuple((key, value) for key, value in changes.entries if ALIASES.get(key.text, key.text) != name)
    cleaned = replace(changes, entries=kept)
    return replace(item, entries=tuple((key, cleaned if key.text == "set" else value) for key, value in item.entries))
