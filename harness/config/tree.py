"""YAML text to nodes in one pass over parser events; bounds hold before any value is built.

At most 1 MiB, 100,000 nodes and 32 levels; no aliases, anchors, tags or second document; a key stands once.
PyYAML only splits the text: what a scalar means is decided by `nodes`, by YAML 1.2's rules.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from harness.config.nodes import BrokenNode, MappingNode, Node, ScalarNode, SequenceNode, join
from harness.config.problems import Mistakes, Problem, Problems
from harness.config.source import Mark, Source

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
MAX_DEPTH = 32

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where the wheel has it: a hundred times faster
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def parse(data: bytes, name: str, problems: Problems) -> tuple[Source, Node]:
    """The tree of `data`. Mistakes that leave a tree go to `problems`. Errors: Mistakes, where no tree can be made."""
    source = Source(name, _decode(data, name))
    return source, parse_source(source, problems)


def parse_source(source: Source, problems: Problems, skip: int = 0) -> Node:
    """The tree of a text in hand, without its first `skip` characters, which keep their columns; else as `parse`."""
    if len(source.text) > MAX_BYTES or len(source.text.encode()) > MAX_BYTES:
        raise _fatal(source, 1, 1, f"larger than {MAX_BYTES:,} bytes", "a config is a page of text: is this one?")
    _check_characters(source)
    try:
        return _Builder(source, problems, " " * skip + source.text[skip:]).document()
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(source, error) from None
    except yaml.YAMLError as error:
        raise _fatal(source, 1, 1, f"not YAML: {error}") from None


@dataclass
class _Builder:
    source: Source
    problems: Problems
    text: str
    n_nodes: int = 0
    events: Iterator[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.events = yaml.parse(self.text, Loader=_Loader)

    def document(self) -> Node:
        next(self.events)  # stream start
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise _fatal(self.source, 1, 1, "empty", "a config needs at least models: {NAME: {gguf: FILE}}")
        root = self.node(next(self.events), "", 1)
        next(self.events)  # document end
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            mark = self.mark(after)
            raise _fatal(self.source, mark.line, mark.column, "a second document", "one config per file")
        return root

    def node(self, event: Any, path: str, depth: int) -> Node:
        mark = self.mark(event)
        self.n_nodes += 1
        if self.n_nodes > MAX_NODES:
            raise _fatal(self.source, mark.line, mark.column, f"more than {MAX_NODES:,} values")
        if depth > MAX_DEPTH:
            raise _fatal(self.source, mark.line, mark.column, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            self.problems.add(mark, path, "an alias", "aliases are not read here: write the value out")
            return BrokenNode(mark)
        self.refuse_properties(event, mark, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return SequenceNode(mark, tuple(self.items(path, depth + 1)))
        if isinstance(event, yaml.MappingStartEvent):
            return MappingNode(mark, tuple(self.entries(path, depth + 1)))
        return ScalarNode(mark, event.value, plain=not event.style)

    def items(self, path: str, depth: int) -> Iterator[Node]:
        index = 0
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            yield self.node(event, f"{path}[{index}]", depth)
            index += 1

    def entries(self, path: str, depth: int) -> Iterator[tuple[ScalarNode, Node]]:
        seen: dict[str, Mark] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, path, depth)
            inner = join(path, key.text) if isinstance(key, ScalarNode) else path
            value = self.node(next(self.events), inner, depth)
            if isinstance(key, BrokenNode):
                continue
            if not isinstance(key, ScalarNode):
                self.problems.add(key.mark, path, "a key must be plain text")
            elif key.text in seen:
                line = seen[key.text].line
                self.problems.add(key.mark, inner, f"written twice, first on line {line}", "keep one of the two")
            else:
                seen[key.text] = key.mark
                yield key, value

    def refuse_properties(self, event: Any, mark: Mark, path: str) -> None:
        if event.anchor is not None:
            self.problems.add(mark, path, f"an anchor (&{event.anchor})", "aliases are not read here: remove it")
        if event.tag is not None:
            self.problems.add(mark, path, f"a tag ({event.tag})", "tags are not read here: remove it")

    def mark(self, event: Any) -> Mark:
        start, end = event.start_mark, event.end_mark
        width = end.column - start.column if end.line == start.line else 1
        return Mark(self.source, start.line + 1, start.column + 1, max(1, width))


def _not_yaml(source: Source, error: yaml.MarkedYAMLError) -> Mistakes:
    mark, begin = error.problem_mark or error.context_mark, error.context_mark
    line, column = _before_the_end(source, mark.line + 1, mark.column + 1) if mark else (1, 1)
    hints = [f"{error.context} that begins at {begin.line + 1}:{begin.column + 1}"] if error.context and begin else []
    if source.line(line)[column - 1 : column] == "\t":
        hints = ["indent with blanks, not with tabs"]
    elif "mapping values" in (error.problem or ""):
        hints = ["text that holds a colon and a blank needs quotes"]
    return _fatal(source, line, column, f"not YAML: {error.problem or error.context}", *hints)


def _before_the_end(source: Source, line: int, column: int) -> tuple[int, int]:
    """The place itself; where only blank lines follow, the end of the last line that holds something."""
    if any(rest.strip() for rest in source.text.splitlines()[line - 1 :]):
        return line, column
    return _position(source.text.rstrip())


def _decode(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        return data.decode("utf-8", "replace")  # refused by size, with a line to show
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        source = Source(name, data.decode("utf-8", "replace"))
        line, column = _position(before)
        raise _fatal(source, line, column, "not UTF-8 text", "save the file as UTF-8") from None


def _check_characters(source: Source) -> None:
    found = _UNPRINTABLE.search(source.text)
    if found:
        line, column = _position(source.text[: found.start()])
        raise _fatal(source, line, column, f"the character U+{ord(found.group()):04X} is not text", "remove it")


def _position(before: str) -> tuple[int, int]:
    lines = (before + "x").splitlines()
    return len(lines), len(lines[-1])


def _fatal(source: Source, line: int, column: int, what: str, *hints: str) -> Mistakes:
    return Mistakes([Problem(Mark(source, line, column), "", what, hints)])
