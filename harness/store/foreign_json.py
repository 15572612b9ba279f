"""JSON and JSON lines of llama-bench and llama-sweep-bench, whole or not: rows are taken one object at a time.

An object that is cut off, or whose text holds unescaped quotes or `nan`, gives what can be read of it; nothing that is
not there is guessed.
"""

import json
import math
import re
from collections.abc import Iterator

from harness.errors import ResultError
from harness.store.llama_bench_fields import SAMPLE_FIELDS, Value
from harness.store.llama_bench_rows import FlatRow
from harness.store.parsed import Parsed

_START = re.compile(r'\{\s*"')
_KEY = re.compile(r'\s*,?\s*"(\w+)"\s*:\s*')
_STRING = re.compile(r'"(.*?)"(?=\s*(?:,\s*"\w+"\s*:|\}|$))', re.DOTALL)
_ARRAY = re.compile(r"\[([^\[\]{}\"]*)\]")
_NUMBER = re.compile(r"[^\s,{}\[\]\"]+")
_WINDOWS = (1 << 14, 1 << 20)
"""Characters looked at for one object: enough for llama-bench's, then enough for thousands of repetitions."""
_MOST_DAMAGED = 1000
"""Damaged objects mended before the file is taken for something else; it bounds the work a hostile file can cause."""


def read_json(text: str) -> Parsed:
    """Every row in an array, a sequence or lines of objects; text between objects is skipped. Errors: ResultError."""
    rows, warnings = [], []
    for number, (fields, whole) in enumerate(_objects(text), 1):
        if not whole:
            warnings.append(f"object {number} is damaged or cut off; what could be read of it was taken")
        rows.append(_row(fields))
    return Parsed(tuple(rows), tuple(warnings))


def _objects(text: str) -> Iterator[tuple[dict[str, object], bool]]:
    damaged, start = 0, _START.search(text)
    while start:
        whole = _whole(text, start.start())
        found, end = whole or _damaged(text, start.start())
        start = _START.search(text, end)
        if found or (whole is None and start is None):  # text with a brace is no object; a last one cut off at once is
            yield found, whole is not None
        damaged += whole is None
        if damaged > _MOST_DAMAGED:
            raise ResultError(f"more than {_MOST_DAMAGED} damaged objects: this is not llama-bench's JSON")


def _whole(text: str, at: int) -> tuple[dict[str, object], int] | None:
    for window in _WINDOWS:
        try:
            found, length = _DECODER.raw_decode(text[at : at + window])
        except (ValueError, RecursionError):
            if at + window >= len(text):
                break
            continue
        return found, at + length
    return None


_DECODER = json.JSONDecoder(parse_constant=lambda _: None)


def _damaged(text: str, at: int) -> tuple[dict[str, object], int]:
    """The fields from the brace at `at` up to its end or to where sense ends, and where that is."""
    fields: dict[str, object] = {}
    limit = min(len(text), at + _WINDOWS[0])
    place = at + 1
    while key := _KEY.match(text, place, limit):
        value = _value(text, key.end(), limit)
        if value is None:
            break
        fields[key[1]], place = value
    return fields, place


def _value(text: str, at: int, limit: int) -> tuple[object, int] | None:
    """A string, a list of numbers or a scalar at `at`, and its end; None if it is cut off."""
    if found := _STRING.match(text, at, limit):
        return _unescaped(found[1]), found.end()
    if found := _ARRAY.match(text, at, limit):
        return [_scalar(item) for item in found[1].split(",") if item.strip()], found.end()
    found = _NUMBER.match(text, at, limit)
    return (_scalar(found[0]), found.end()) if found and found.end() < len(text) else None


def _unescaped(inner: str) -> str:
    """A string's text; quotes that should have been escaped are taken as they stand."""
    escaped = re.sub(r'(?<!\\)((?:\\\\)*)"', r"\1\\" + '"', inner)
    try:
        return str(json.loads(f'"{escaped}"', strict=False))
    except ValueError:
        return inner


def _scalar(text: str) -> Value:
    """A JSON scalar, or None for the `nan` and `inf` C++ prints where there is no number."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)) else None


def _row(fields: dict[str, object]) -> FlatRow:
    samples_ns, samples_ts = (_numbers(fields.get(name)) for name in SAMPLE_FIELDS)
    scalars = {name: _flat(value) for name, value in fields.items() if name not in SAMPLE_FIELDS}
    return FlatRow(scalars, tuple(round(ns) for ns in samples_ns), samples_ts)


def _numbers(values: object) -> tuple[float, ...]:
    listed = values if isinstance(values, list) else []
    numbers = (float(v) for v in listed if isinstance(v, int | float) and not isinstance(v, bool))
    return tuple(number for number in numbers if math.isfinite(number) and number > 0)


def _flat(value: object) -> Value:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else json.dumps(value)
