"""llama-bench's SQL, read by a tokenizer and never executed: CREATE TABLE names columns, INSERT brings values.

Anything else in the text is skipped. Quotes in a value need not be doubled where an INSERT stands on one line, which is
how llama-bench prints it.
"""

import re
from collections.abc import Iterator

from harness.store.llama_bench_rows import FlatRow
from harness.store.parsed import Parsed, typed

_CREATE = re.compile(
    r"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?[\"`]?(\w+)[\"`]?\s*\(([^;]{0,20000}?)\)\s*;", re.IGNORECASE
)
_INSERT = re.compile(
    r"^\s*INSERT\s+INTO\s+[\"`]?(\w+)[\"`]?\s*(?:\(([^)]{0,20000})\)\s*)?VALUES\s*", re.IGNORECASE | re.MULTILINE
)
_VALUE = re.compile(r"\s*(?:'((?:[^']|''){0,20000})'|(-?\d[\w.+-]*|NULL))\s*", re.IGNORECASE)
_BETWEEN_ROWS = re.compile(r"\s*,\s*(?=\()|\s*")


def is_sql(text: str) -> bool:
    """Whether there is a statement that inserts rows."""
    return _INSERT.search(text) is not None


def read_sql(text: str) -> Parsed:
    """The rows of every INSERT into a table; a row with other columns than its table's is left out."""
    tables = {found[1]: [line.split()[0].strip('"`') for line in found[2].split(",")] for found in _creates(text)}
    rows: list[FlatRow] = []
    warnings: list[str] = []
    number, insert = 0, _INSERT.search(text)
    while insert:
        number += 1
        names = [n.strip(' \n\r\t"`') for n in insert[2].split(",")] if insert[2] else tables.get(insert[1], [])
        found, end = _values(text, insert.end(), len(names))
        rows += [_row(names, values) for values in found]
        if not found:
            warnings.append(f"INSERT {number} has other columns than its table; left out")
        insert = _INSERT.search(text, end)
    return Parsed(tuple(rows), tuple(warnings))


def _row(names: list[str], values: list[str | None]) -> FlatRow:
    return FlatRow({n: None if v is None else typed(n, v) for n, v in zip(names, values, strict=True)})


def _creates(text: str) -> Iterator[re.Match[str]]:
    return (found for found in _CREATE.finditer(text) if all(part.strip() for part in found[2].split(",")))


def _values(text: str, at: int, width: int) -> tuple[list[list[str | None]], int]:
    """The parenthesised rows after VALUES and where they end; no rows if they do not fit the columns."""
    rows, end = _strict(text, at)
    if rows and all(len(row) == width for row in rows):
        return rows, end
    line_end = text.find("\n", at)
    line_end = len(text) if line_end < 0 else line_end
    row = _loose(text[at:line_end].strip(), width)
    return [row] if row else [], line_end


def _strict(text: str, at: int) -> tuple[list[list[str | None]], int]:
    """Rows by the rules of SQL up to the semicolon, and the place after it; no rows if the rules are broken."""
    rows: list[list[str | None]] = []
    while text.startswith("(", at):
        row, at = _tuple(text, at + 1)
        if not text.startswith(")", at):
            return [], at
        rows.append(row)
        between = _BETWEEN_ROWS.match(text, at + 1)
        at = between.end() if between else at + 1
    return (rows, at + 1) if text.startswith(";", at) else ([], at)


def _tuple(text: str, at: int) -> tuple[list[str | None], int]:
    """Values between commas from `at` on, and the place after the last."""
    row: list[str | None] = []
    while found := _VALUE.match(text, at):
        row.append(found[1].replace("''", "'") if found[1] is not None else _bare(found[2]))
        at = found.end()
        if not text.startswith(",", at):
            break
        at += 1
    return row, at


def _bare(text: str) -> str | None:
    return None if text.upper() == "NULL" else text


def _loose(line: str, width: int) -> list[str | None]:
    """The row of a line on which every value is quoted, split where values meet; empty if it does not fit."""
    if not (line.startswith("('") and line.endswith("');")):
        return []
    values: list[str | None] = [value.replace("''", "'") for value in line[2:-3].split("', '")]
    return values if len(values) == width else []
