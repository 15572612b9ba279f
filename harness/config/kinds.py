"""What a value of the config may be. A kind reads a node and describes itself as JSON Schema.

`read` returns the value, or None after it has reported why there is none; it never raises for what a user typed.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from harness.config.guess import nearest
from harness.config.nodes import BrokenNode, Node, ScalarNode, as_float, as_int, as_switch, describe
from harness.config.place import Place

T = TypeVar("T")
Schema = dict[str, Any]


class Kind(ABC, Generic[T]):
    """One sort of value."""

    @abstractmethod
    def read(self, node: Node, place: Place) -> T | None: ...

    @abstractmethod
    def schema(self) -> Schema: ...


class Mismatch(Exception):  # noqa: N818  never leaves this package
    """A scalar that does not fit: what is wrong, then hints."""

    def __init__(self, what: str, *hints: str) -> None:
        super().__init__(what)
        self.what, self.hints = what, hints


class ScalarKind(Kind[T]):
    """A kind written as one word, number or quoted text; `wanted` completes "expected …"."""

    wanted: str

    @abstractmethod
    def convert(self, node: ScalarNode) -> T:
        """The value. Errors: Mismatch."""

    def read(self, node: Node, place: Place) -> T | None:
        if isinstance(node, BrokenNode):
            return None
        if not isinstance(node, ScalarNode) or node.is_null:
            return place.fail(node, f"expected {self.wanted}, found {describe(node)}")
        try:
            return self.convert(node)
        except Mismatch as mismatch:
            return place.fail(node, mismatch.what, *mismatch.hints)

    def unexpected(self, node: ScalarNode, *hints: str) -> Mismatch:
        return Mismatch(f"expected {self.wanted}, found {describe(node)}", *hints)


@dataclass(frozen=True)
class Flag(ScalarKind[bool]):
    """A switch; on, off, yes, no, true and false work as typed."""

    wanted: str = "on or off"

    def convert(self, node: ScalarNode) -> bool:
        value = as_switch(node)
        if value is not None:
            return value
        if not node.plain and as_switch(ScalarNode(node.mark, node.text)) is not None:
            raise self.unexpected(node, "remove the quotes")
        guess = {"0": "off", "1": "on"}.get(node.text) or nearest(node.text, ("on", "off"))
        raise self.unexpected(node, *([f"did you mean {guess}?"] if guess else []))

    def schema(self) -> Schema:
        return {"enum": [True, False, "on", "off", "yes", "no"]}


@dataclass(frozen=True)
class Whole(ScalarKind[int]):
    """A whole number from `low` to `high`; words such as `all` may stand for one."""

    low: int
    high: int
    unit: str = ""
    words: Mapping[str, int] = field(default_factory=dict)

    @property
    def wanted(self) -> str:  # type: ignore[override]
        bounds = f"{self.low} to {self.high}" + (f" {self.unit}" if self.unit else "")
        return " or ".join([f"a whole number from {bounds}", *self.words])

    def convert(self, node: ScalarNode) -> int:
        if node.plain and node.text in self.words:
            return self.words[node.text]
        value = as_int(node)
        if value is None:
            number = as_float(node)
            whole = number is not None and number.is_integer() and self.low <= number <= self.high
            raise self.unexpected(node, *([f"did you mean {int(number or 0)}?"] if whole else []))
        if not self.low <= value <= self.high:
            raise Mismatch(f"out of range: {node.text}", f"allowed: {self.low} to {self.high}")
        return value

    def schema(self) -> Schema:
        number = {"type": "integer", "minimum": self.low, "maximum": self.high}
        return {"anyOf": [number, {"enum": list(self.words)}]} if self.words else number


@dataclass(frozen=True)
class Number(ScalarKind[float]):
    """A number from zero to `high`."""

    high: float
    wanted: str = "a number"

    def convert(self, node: ScalarNode) -> float:
        value = as_float(node)
        if value is None:
            raise self.unexpected(node)
        if not 0 <= value <= self.high:
            raise Mismatch(f"out of range: {node.text}", f"allowed: 0 to {self.high:g}")
        return value

    def schema(self) -> Schema:
        return {"type": "number", "minimum": 0, "maximum": self.high}


@dataclass(frozen=True)
class Choice(ScalarKind[str]):
    """One of a few words; `synonyms` are other people's words for them."""

    values: tuple[str, ...]
    synonyms: Mapping[str, str] = field(default_factory=dict)

    @property
    def wanted(self) -> str:  # type: ignore[override]
        return f"one of {', '.join(self.values)}"

    def convert(self, node: ScalarNode) -> str:
        value = self.synonyms.get(node.text, node.text)
        if value in self.values:
            return value
        guess = nearest(node.text, (*self.values, *self.synonyms))
        hints = [f"did you mean {guess}?"] if guess else []
        raise Mismatch(f"{describe(node)} is not allowed here", *hints, f"allowed: {', '.join(self.values)}")

    def schema(self) -> Schema:
        return {"enum": [*self.values, *self.synonyms]}


@dataclass(frozen=True)
class Text(ScalarKind[str]):
    """Text as typed, numbers and switches included; the whole of it must match `pattern`."""

    wanted: str = "text"
    pattern: str = r"[^\n]{1,4096}"
    hint: str = ""

    def convert(self, node: ScalarNode) -> str:
        if not re.fullmatch(self.pattern, node.text):
            raise self.unexpected(node, *([self.hint] if self.hint else []))
        return node.text

    def schema(self) -> Schema:
        return {"type": ["string", "number", "boolean"], "pattern": f"^(?:{self.pattern})$"}


@dataclass(frozen=True)
class Quantity(ScalarKind[T]):
    """Text with a unit, read by `parse`, which raises ValueError with what was expected."""

    parse: Callable[[str], T]
    pattern: str
    wanted: str

    def convert(self, node: ScalarNode) -> T:
        try:
            return self.parse(node.text)
        except ValueError as error:
            what = str(error)
            raise Mismatch(f"{what}, found {describe(node)}" if what.startswith("expected") else what) from None

    def schema(self) -> Schema:
        return {"type": ["string", "number"], "pattern": self.pattern}
