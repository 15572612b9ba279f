"""Records in llama-bench's own output formats, so that everything that reads llama-bench reads us.

Mainline's and ik_llama.cpp's field names stand in one row together; every reader takes those it knows. A field is never
NULL: mainline's compare script joins on equality.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal

from harness.errors import ResultError
from harness.records.record import Record
from harness.store.llama_bench_fields import EXPORT_FIELDS, SAMPLE_FIELDS, FieldType, Value, field_type
from harness.store.llama_bench_markdown import markdown
from harness.store.llama_bench_rows import FlatRow, flatten

Format = Literal["json", "jsonl", "csv", "md", "sql"]
TABLES = ("llama_bench", "test")
"""The SQL tables readers look for: mainline's name, and the one ik_llama.cpp kept."""


def render(records: Iterable[Record], form: str, *, guard_formulas: bool = False) -> str:
    """The records' rows as llama-bench prints them: "json", "jsonl", "csv", "md" or "sql".

    `guard_formulas` puts ' before CSV text that a spreadsheet would take for a formula.
    Errors: ResultError for another format.
    """
    formats: dict[str, Callable[[Sequence[FlatRow]], str]] = {
        "json": _json,
        "jsonl": _jsonl,
        "csv": partial(_csv, guard_formulas=guard_formulas),
        "md": markdown,
        "sql": _sql,
    }
    if form not in formats:
        raise ResultError(f"no llama-bench format {form!r}; there are {', '.join(formats)}")
    return formats[form](flatten(records))


def columns(rows: Sequence[FlatRow]) -> tuple[str, ...]:
    """The known fields in order, then whatever else imported rows brought."""
    seen = {name for row in rows for name in row.fields}
    others = seen.difference(EXPORT_FIELDS, SAMPLE_FIELDS)
    return (*EXPORT_FIELDS, *sorted(name for name in others if re.fullmatch(r"[A-Za-z_]\w*", name)))


def cell(row: FlatRow, name: str) -> str | int | float:
    """The field's value in llama-bench's flat form: booleans as 0 and 1, nothing missing."""
    value = row.fields.get(name)
    if value is None:
        return _EMPTY[field_type(name)]
    return int(value) if isinstance(value, bool) else value


_EMPTY: dict[FieldType, str | int | float] = {"text": "", "int": 0, "bool": 0, "float": 0.0}


def _object(row: FlatRow) -> dict[str, Value | Sequence[float]]:
    return {**row.fields, "samples_ns": row.samples_ns, "samples_ts": row.samples_ts}


def _json(rows: Sequence[FlatRow]) -> str:
    return json.dumps([_object(row) for row in rows], indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _jsonl(rows: Sequence[FlatRow]) -> str:
    return "".join(json.dumps(_object(row), ensure_ascii=False, allow_nan=False) + "\n" for row in rows)


def _csv(rows: Sequence[FlatRow], *, guard_formulas: bool) -> str:
    names = columns(rows)
    out = io.StringIO()
    out.write(",".join(names) + "\n")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows:
        values = [cell(row, name) for name in names]
        writer.writerow([_guarded(value) for value in values] if guard_formulas else values)
    return out.getvalue()


def _guarded(value: str | float) -> str | float:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _sql(rows: Sequence[FlatRow]) -> str:
    names = columns(rows)
    out = [create_table(TABLES[0], names)]
    head = f"INSERT INTO {TABLES[0]} ({', '.join(names)}) VALUES ("  # noqa: S608  names are checked identifiers
    out += [head + ", ".join(_quoted(cell(row, name)) for name in names) + ");\n" for row in rows]
    return "".join(out)


def create_table(table: str, names: Sequence[str]) -> str:
    """The statement llama-bench opens its SQL with."""
    kinds = {"text": "TEXT", "float": "REAL", "int": "INTEGER", "bool": "INTEGER"}
    body = ",\n".join(f"  {name} {kinds[field_type(name)]}" for name in names)
    return f"CREATE TABLE IF NOT EXISTS {table} (\n{body}\n);\n\n"


def _quoted(value: str | float) -> str:
    return "'" + str(value).replace("'", "''").replace("\0", "") + "'"
