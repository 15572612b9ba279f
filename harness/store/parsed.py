"""What a parser of foreign results hands on: flat rows, and what it could not make sense of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from harness.store.llama_bench_fields import Value, field_type
from harness.store.llama_bench_rows import FlatRow

V = TypeVar("V")
_NAME = re.compile(r"[A-Za-z_]\w{0,62}", re.ASCII)


@dataclass(frozen=True)
class Parsed:
    """Rows in the file's order; each warning says what was damaged and what became of it."""

    rows: tuple[FlatRow, ...] = ()
    warnings: tuple[str, ...] = ()


def typed(name: str, text: str) -> Value:
    """Text as the field's type; text that is not of that type stays text."""
    kind = field_type(name)
    try:
        if kind == "bool":
            return {"0": False, "1": True, "false": False, "true": True}.get(text.lower(), text)
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError:
        return text
    return text


def sound(fields: Mapping[str, Value]) -> dict[str, Value]:
    """The fields every reader can take: known ones of their type only, and text that files and databases can hold."""
    named = ((name, value) for name, value in fields.items() if _NAME.fullmatch(name))
    return {name: storable(value) for name, value in named if _fits(name, value)}


def _fits(name: str, value: Value) -> bool:
    if value is None or (isinstance(value, str) and field_type(name) == "text"):
        return True
    return isinstance(value, bool | int | float) and abs(value) < 2**63  # what a column holds; nan is not less


def storable(value: V) -> V:
    """Text without NUL and lone surrogates; anything else as it is."""
    if not isinstance(value, str):
        return value
    return value.replace("\0", "").encode("utf-8", "replace").decode()  # type: ignore[return-value]
