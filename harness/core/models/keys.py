"""Metadata of a GGUF file, asked for by key and checked: type, range, finiteness.

Nothing in the file is believed: a key that is missing, of the wrong type or out of range is a GgufError that names it.
"""

import math
from collections.abc import Mapping

from harness.core.errors import GgufError

MAX_LAYERS = 1024
MAX_EXPERTS = 4096
MAX_DIMENSION = 1 << 24


class Keys:
    """The hyper-parameters of one architecture: `integer("block_count")` reads `<arch>.block_count`."""

    def __init__(self, metadata: Mapping[str, object], arch: str) -> None:
        self._metadata = metadata
        self.arch = arch

    def has(self, key: str) -> bool:
        """Whether the file gives the key at all."""
        return f"{self.arch}.{key}" in self._metadata

    def integer(self, key: str, default: int | None = None, *, low: int = 1, high: int = MAX_DIMENSION) -> int:
        """A whole number in low … high. Errors: GgufError when missing without default, mistyped or out of range."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._error(key, f"is {_short(value)}, not a whole number")
        if not low <= value <= high:
            raise self._error(key, f"is {value}, outside {low} … {high}")
        return value

    def number(self, key: str, default: float | None = None, *, positive: bool = True) -> float:
        """A finite number, greater than 0 unless `positive` is False."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(key, f"is {_short(value)}, not a number")
        if not math.isfinite(value) or (positive and value <= 0):
            raise self._error(key, f"is {value}, not a finite{' positive' if positive else ''} number")
        return float(value)

    def text(self, key: str, default: str) -> str:
        """A string, in lower case."""
        value = self._value(key, default)
        if not isinstance(value, str):
            raise self._error(key, f"is {_short(value)}, not a text")
        return value.lower()

    def flag(self, key: str, *, default: bool) -> bool:
        """A truth value."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self._error(key, f"is {_short(value)}, not true or false")
        return value

    def _value(self, key: str, default: object) -> object:
        value = self._metadata.get(f"{self.arch}.{key}", default)
        if value is None:
            raise self._error(key, "is missing; the file is incomplete or was converted by a tool that is too old")
        return value

    def _error(self, key: str, what: str) -> GgufError:
        return GgufError(f"metadata key {self.arch}.{key} {what}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
