"""Records to and from JSON. NaN is refused on the way out; unknown fields are dropped on the way in."""

import json
from dataclasses import asdict
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def to_json(record: object, *, indent: int | None = None) -> str:
    """Any record as JSON text. Errors: ValueError for NaN or infinity."""
    return json.dumps(asdict(record), allow_nan=False, indent=indent, ensure_ascii=False)  # type: ignore[call-overload]


def from_json(kind: type[T], text: str | bytes) -> T:
    """The record of type `kind` in `text`. Errors: pydantic.ValidationError naming each field that does not fit."""
    return _adapter(kind).validate_json(text)  # type: ignore[no-any-return, arg-type]


@cache
def _adapter(kind: type) -> Any:
    from pydantic import TypeAdapter  # noqa: PLC0415  pydantic costs 100 ms that `--help` need not pay

    return TypeAdapter(kind)
