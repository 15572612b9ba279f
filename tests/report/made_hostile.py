"""Forty strings that want to be more than text, and records that carry one in every text field."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

HOSTILE = (
    "<script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</style><script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "</textarea><iframe src=//evil.example></iframe>",
    "<!--><script>alert(1)</script-->",
    "]]><script>alert(1)</script>",
    "<a href=javascript:alert(1)>x</a>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    '" onmouseover="alert(1)" x="',
    "' autofocus onfocus='alert(1)",
    "`${alert(1)}`",
    "{{ 7 * 7 }}",
    "{% for x in y %}",
    "{{ config.__class__.__mro__ }}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#x3c;script&#x3e;",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "url(//evil.example/x)",
    "@import '//evil.example/x.css';",
    "expression(alert(1))",
    "$\\frac{1}{0}$",
    "\\x00\x00\x01\x02",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "right\u202eto left\u2066\u200bhidden",
    "lone \ud800 surrogate \udfff",
    "a\r\nSet-Cookie: x=1",
    "| a | b |\n|---|---|\n| c | d |",
    "[click](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "[red]markup[/red] [link=http://evil.example]x[/link]",
    "@everyone fixes #1 http://evil.example www.evil.example",
    "*b* _i_ `c` ~~s~~ # h > q - l 1. n",
    "=cmd|' /C calc'!A0",
    "模型 ünïcode \U0001f600 " + "x" * 300,
)

LITERALS = frozenset({"status", "kind", "state", "stopped_by", "imported_from"})
"""Fields that hold one of a few words, or whose emptiness decides."""

KEPT_KEYS = frozenset({"merges", "kind"})
"""A mapping with one of these is a plan's: its keys are looked up, its values shown."""


def poisoned(record: T, text: str) -> T:
    """`record` with `text` in every text field, however deep; words that decide are left alone."""
    return _poisoned(record, text)  # type: ignore[no-any-return]


def _poisoned(value: Any, text: str) -> Any:
    if isinstance(value, str):
        return text
    if isinstance(value, tuple | list):
        return type(value)(_poisoned(item, text) for item in value)
    if isinstance(value, Mapping):
        named = value.keys() & KEPT_KEYS
        return {
            key if named else f"{text}{place}": _poisoned(item, text) for place, (key, item) in enumerate(value.items())
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.name not in LITERALS}
        return dataclasses.replace(value, **{name: _poisoned(old, text) for name, old in fields.items()})
    return value
