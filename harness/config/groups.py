"""Kinds made of other kinds: records with known keys, tables with free keys, lists, and lists that expand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.config.guess import nearest
from harness.config.kinds import Kind, ScalarKind, Schema, T
from harness.config.nodes import (
    BrokenNode,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    as_float,
    as_int,
    as_switch,
    describe,
)
from harness.config.place import Place
from harness.config.problems import Problems


@dataclass(frozen=True)
class Field:
    """One key of a record: what it holds and one line about it for editors."""

    kind: Kind[Any]
    about: str = ""
    required: bool = False


@dataclass(frozen=True)
class Record(Kind[dict[str, Any]]):
    """A mapping with known keys. `aliases` are other names of a key, `foreign` names are understood, not accepted."""

    fields: Mapping[str, Field]
    aliases: Mapping[str, str] = field(default_factory=dict)
    foreign: Mapping[str, str] = field(default_factory=dict)
    wanted: str = "a mapping"

    def read(self, node: Node, place: Place) -> dict[str, Any] | None:
        if isinstance(node, BrokenNode):
            return None
        if not isinstance(node, MappingNode):
            return place.fail(
                node, f"expected {self.wanted}, found {describe(node)}", f"keys: {', '.join(self.fields)}"
            )
        values, given = {}, dict[str, str]()
        for key, value in node.entries:
            name = self._name(key, given, place)
            if name is None:
                continue
            given[name] = key.text
            read = self.fields[name].kind.read(value, place.key(key.text))
            if read is not None:
                values[name] = read
        for name, spec in self.fields.items():
            if spec.required and name not in given:
                place.key(name).fail(node, "missing", spec.about)
        return values

    def _name(self, key: ScalarNode, given: Mapping[str, str], place: Place) -> str | None:
        name = self.aliases.get(key.text, key.text)
        inner = place.key(key.text)
        if name not in self.fields:
            inner.fail(key, "unknown key", *self._advice(key.text))
            return None
        if name in given:
            inner.fail(key, f"the same key as {given[name]}", "keep one of the two")
            return None
        return name

    def _advice(self, typed: str) -> list[str]:
        if typed in self.foreign:
            return [f"did you mean {self.foreign[typed]}?"]
        guess = nearest(typed, (*self.fields, *self.aliases))
        return ([f"did you mean {guess}?"] if guess else []) + [f"allowed: {', '.join(self.fields)}"]

    def schema(self) -> Schema:
        properties = {name: _described(spec) for name, spec in self.fields.items()}
        properties |= {alias: _described(self.fields[name]) for alias, name in self.aliases.items()}
        required = [name for name, spec in self.fields.items() if spec.required]
        base: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
        return base | ({"required": required} if required else {})


@dataclass(frozen=True)
class Table(Kind[dict[str, T]]):
    """A mapping whose keys are the user's own names."""

    kind: Kind[T]
    key: ScalarKind[str]
    wanted: str

    def read(self, node: Node, place: Place) -> dict[str, T] | None:
        if isinstance(node, BrokenNode):
            return None
        if not isinstance(node, MappingNode) or not node.entries:
            return place.fail(node, f"expected {self.wanted}, found {describe(node)}")
        values = {}
        for key, value in node.entries:
            inner = place.key(key.text)
            read = self.kind.read(value, inner)
            if self.key.read(key, inner) is not None and read is not None:
                values[key.text] = read
        return values

    def schema(self) -> Schema:
        return {"type": "object", "minProperties": 1, "additionalProperties": self.kind.schema()}


@dataclass(frozen=True)
class ListOf(Kind[tuple[T, ...]]):
    """A list; `most` bounds it."""

    kind: Kind[T]
    wanted: str
    most: int = 1000

    def read(self, node: Node, place: Place) -> tuple[T, ...] | None:
        if isinstance(node, BrokenNode):
            return None
        if not isinstance(node, SequenceNode):
            return place.fail(node, f"expected {self.wanted}, found {describe(node)}")
        if not node.items:
            return place.fail(node, f"expected {self.wanted}, found an empty list")
        if len(node.items) > self.most:
            return place.fail(node, f"too long: {len(node.items)} entries, at most {self.most}")
        read = [self.kind.read(item, place.item(index)) for index, item in enumerate(node.items)]
        return tuple(value for value in read if value is not None)

    def schema(self) -> Schema:
        return {"type": "array", "minItems": 1, "items": self.kind.schema()}


@dataclass(frozen=True)
class OneOrMany(Kind[tuple[T, ...]]):
    """One value, or a list of different ones, over which the matrix expands."""

    kind: Kind[T]

    def read(self, node: Node, place: Place) -> tuple[T, ...] | None:
        if not isinstance(node, SequenceNode):
            one = None if self._forgot_brackets(node, place) else self.kind.read(node, place)
            return None if one is None else (one,)
        many = ListOf(self.kind, "at least one value").read(node, place)
        for index, value in enumerate(many or ()):
            if many is not None and len(many) == len(node.items) and value in many[:index]:
                return place.item(index).fail(node.items[index], "listed twice", "remove one of the two")
        return many

    def _forgot_brackets(self, node: Node, place: Place) -> bool:
        """`off, on` without brackets reads as one text; True and reported where only its parts are allowed."""
        if not isinstance(node, ScalarNode) or not node.plain or "," not in node.text:
            return False
        silent = Place("", Problems())
        parts = [self.kind.read(ScalarNode(node.mark, part.strip()), silent) for part in node.text.split(",")]
        if None in parts or self.kind.read(node, silent) is not None:
            return False
        place.fail(node, "a list needs brackets", f"did you mean [{node.text}]?")
        return True

    def schema(self) -> Schema:
        one = self.kind.schema()
        return {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]}


@dataclass(frozen=True)
class Script(Kind[dict[str, Any]]):
    """A mapping of JSON values whose meaning is an engine's business; on and off are switches in it."""

    def read(self, node: Node, place: Place) -> dict[str, Any] | None:
        if isinstance(node, BrokenNode):
            return None
        if not isinstance(node, MappingNode):
            return place.fail(node, f"expected a mapping, found {describe(node)}")
        value: dict[str, Any] = _json_value(node)
        return value

    def schema(self) -> Schema:
        return {"type": "object"}


def _described(spec: Field) -> Schema:
    return spec.kind.schema() | ({"description": spec.about} if spec.about else {})


def _json_value(node: Node) -> Any:
    if isinstance(node, MappingNode):
        return {key.text: _json_value(value) for key, value in node.entries}
    if isinstance(node, SequenceNode):
        return [_json_value(item) for item in node.items]
    if isinstance(node, BrokenNode) or node.is_null:
        return None
    for meaning in (as_switch, as_int, as_float):
        value = meaning(node)
        if value is not None:
            return value
    return node.text
