"""Foreign text made harmless once, before anything is rendered: what cannot be seen becomes visible.

A model's name comes from a GGUF file and a record may be imported, so every string of a record is hostile until it
went through `clean`. Escaping for HTML, Markdown or a terminal stays each renderer's own business.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

LONGEST_LINE = 400
LONGEST_TEXT = 200_000
KEEPS_LINES = frozenset({"config_text", "stderr_tail", "message"})
"""Fields whose line breaks and tabs mean something; elsewhere they become visible too."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_BREAKS = re.compile(r"[\n\t]")


def visible(text: str) -> str:
    """`text` with every hidden character spelled as an escape; newline and tab stay."""
    return _HIDDEN.sub(_spell, text)


def one_line(text: str) -> str:
    """`text` fit for a heading or a cell: hidden characters, newlines and tabs spelled out, cut at LONGEST_LINE."""
    cut = text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1] + "…"
    return _BREAKS.sub(_spell, visible(cut))


def clean(record: T) -> T:
    """A copy of `record` in which every string, however deep, is safe to lay out."""
    return _clean(record, keeps_lines=False)  # type: ignore[no-any-return]


def _clean(value: Any, *, keeps_lines: bool) -> Any:
    if isinstance(value, str):
        return visible(value[:LONGEST_TEXT]) if keeps_lines else one_line(value)
    if isinstance(value, tuple | list):
        return (
            value
            if not value or isinstance(value[0], int)
            else type(value)(_clean(item, keeps_lines=keeps_lines) for item in value)
        )
    if isinstance(value, Mapping):
        return {_clean(key, keeps_lines=False): _clean(item, keeps_lines=keeps_lines) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _clean_record(value)
    return value


def _clean_record(record: Any) -> Any:
    changed = {}
    for name in _fields_of(type(record)):
        before = getattr(record, name)
        if isinstance(before, int | float) or before is None:
            continue
        after = _clean(before, keeps_lines=name in KEEPS_LINES)
        if after is not before and after != before:
            changed[name] = after
    return dataclasses.replace(record, **changed) if changed else record


def _fields_of(kind: type) -> tuple[str, ...]:
    return tuple(kind.__dataclass_fields__)  # type: ignore[attr-defined]


def _spell(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
