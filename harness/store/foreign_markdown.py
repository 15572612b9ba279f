"""Tables as people post them: llama-bench's Markdown and llama-sweep-bench's tables, among any other text.

A heading decides what a table is; columns are found by their headings, whatever age printed them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.store.llama_bench_fields import Value
from harness.store.llama_bench_markdown import DISPLAY
from harness.store.llama_bench_rows import FlatRow
from harness.store.parsed import Parsed, typed

_FIELD = {shown: name for name, shown in DISPLAY.items()} | {"th": "n_threads", "mmq": "mul_mat_q"}
_BUILD = re.compile(r"^\s*build:\s*(\S+)\s*\((\d+)\)", re.MULTILINE)
_DEVICE = re.compile(r"^\s*Device \d+: (.+?), compute capability", re.MULTILINE)
_RATE = re.compile(r"([\d.]+)\s*(?:±|\+/?-|Â±|�)+\s*([\d.]+)|([\d.]+)")
_UNITS = {"MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


@dataclass(frozen=True)
class Table:
    """A table in a text: its cells by heading, and the places where it begins and ends."""

    rows: tuple[Mapping[str, str], ...]
    start: int
    end: int


def tables(text: str, *headings: str) -> Iterator[Table]:
    """The tables that have all of `headings`. Log lines between rows do not end a table; another table does."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for index, line in enumerate(lines):
        names = cells(line)
        if set(headings) <= set(names):
            body, end = _body(lines, index + 1, names)
            rows = tuple(dict(zip(names, row, strict=True)) for row in body if not _is_rule(row))
            yield Table(rows, starts[index], starts[end])


def cells(line: str) -> list[str]:
    r"""The cells of a table's line, with \| and \\ undone; none for another line."""
    line = line.strip()
    if not line.startswith("|"):
        return []
    parts = re.split(r"(?<!\\)((?:\\\\)*)\|", line.strip("|"))
    joined = [parts[i] + (parts[i + 1] if i + 1 < len(parts) else "") for i in range(0, len(parts), 2)]
    return [re.sub(r"\\(.)", r"\1", part.strip()) for part in joined]


def read_llama_bench(text: str) -> Parsed:
    """The rows of all llama-bench tables. A build line counts for the tables above it that have none."""
    found = list(tables(text, "model", "test", "t/s"))
    gpus = ", ".join(_DEVICE.findall(text))
    rows, warnings = [], []
    for table in found:
        build = _BUILD.search(text, table.end)
        for number, shown in enumerate(table.rows, 1):
            row = _row(shown, build, gpus)
            if row is None:
                warnings.append(f"row {number} of a table has no figure in t/s ({shown['t/s']!r}); left out")
            else:
                rows.append(row)
    return Parsed(tuple(rows), tuple(warnings))


def _body(lines: Sequence[str], start: int, names: Sequence[str]) -> tuple[list[list[str]], int]:
    """The rows from line `start` on that have as many cells as the heading, and the line after the last."""
    body: list[list[str]] = []
    end = start
    for index, line in enumerate(lines[start:], start):
        row = cells(line)
        if row == names or (row and len(row) != len(names)) or _BUILD.match(line):
            break
        if row:
            body.append(row)
            end = index + 1
    return body, end


def _is_rule(row: Sequence[str]) -> bool:
    return all(re.fullmatch(r":?-+:?", cell) for cell in row)


def _row(shown: Mapping[str, str], build: re.Match[str] | None, gpus: str) -> FlatRow | None:
    rate = _RATE.search(shown["t/s"])
    if rate is None:
        return None
    fields: dict[str, Value] = {
        "build_commit": build[1] if build else "",
        "build_number": int(build[2]) if build else 0,
        "gpu_info": gpus,
        "model_type": shown["model"],
        "avg_ts": float(rate[1] or rate[3]),
    }
    if rate[2]:
        fields["stddev_ts"] = float(rate[2])
    fields |= {name: value for name, value in _named(shown) if value is not None}
    return FlatRow(fields)


def _named(shown: Mapping[str, str]) -> Iterator[tuple[str, Value]]:
    for heading, text in shown.items():
        if heading in {"model", "t/s"}:
            continue
        if heading == "size":
            yield "model_size", _amount(text)
        elif heading == "params":
            yield "model_n_params", _amount(text)
        elif heading == "backend":
            yield "backends", text
        else:
            name = _FIELD.get(heading, heading)
            yield name, typed(name, text)


def _amount(text: str) -> int | None:
    """3.56 GiB, 6.74 B: a number and its unit."""
    found = re.fullmatch(r"([\d.]+)\s*(\w+)", text)
    return round(float(found[1]) * _UNITS[found[2]]) if found and found[2] in _UNITS else None
