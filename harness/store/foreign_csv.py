"""llama-bench's CSV. The columns are the heading's, whatever age it is; a line that does not fit it is left out."""

import csv
import io
import re

from harness.store.llama_bench_rows import FlatRow
from harness.store.parsed import Parsed, typed

_HEADING = re.compile(r"^\"?build_commit\"?,.*$|^.*\bn_prompt\b.*\bavg_ts\b.*$", re.MULTILINE)


def is_csv(text: str) -> bool:
    """Whether there is a heading with llama-bench's names."""
    return _HEADING.search(text) is not None


def read_csv(text: str) -> Parsed:
    """Every line below the heading. Quotes inside a field need not be doubled where each field is quoted."""
    heading = _HEADING.search(text)
    if heading is None:
        return Parsed()
    names = [name.strip().strip('"') for name in heading[0].split(",")]
    body = text[heading.end() :].lstrip("\r\n")
    lines = _strict(body, len(names)) or [_loose(line, len(names)) for line in body.splitlines() if line.strip()]
    warnings = [
        f"line {n} below the heading has other columns than it; left out" for n, v in enumerate(lines, 1) if not v
    ]
    rows = [FlatRow({n: typed(n, v) for n, v in zip(names, values, strict=True)}) for values in lines if values]
    return Parsed(tuple(rows), tuple(warnings))


def _strict(body: str, width: int) -> list[list[str]]:
    """All lines by the rules of CSV, or none if one breaks them."""
    try:
        lines = [line for line in csv.reader(io.StringIO(body, newline=""), strict=True) if line]
    except csv.Error:
        return []
    return lines if all(len(line) == width for line in lines) else []


def _loose(line: str, width: int) -> list[str]:
    """One line's fields where every field is quoted and quotes inside may not be escaped; empty if they do not fit."""
    values = line.strip().removeprefix('"').removesuffix('"').split('","')
    if len(values) == width:
        return [value.replace('""', '"') for value in values]
    try:
        (values,) = csv.reader([line], strict=True)
    except (csv.Error, ValueError):
        return []
    return values if len(values) == width else []
