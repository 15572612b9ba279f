"""Other people's results as records: what a file is, is seen from its text.

Every record made here is marked with where it came from; nothing in the file is executed.
"""

import dataclasses
import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import ResultError
from harness.records.record import Record, RunInfo
from harness.store.foreign_csv import is_csv, read_csv
from harness.store.foreign_json import read_json
from harness.store.foreign_markdown import read_llama_bench
from harness.store.foreign_rows import to_record
from harness.store.foreign_sql import is_sql, read_sql
from harness.store.foreign_sweeps import is_sweep, read_sweep_tables, sweep_records
from harness.store.parsed import Parsed
from harness.store.runs import slug, write_info, write_record

LARGEST_BYTES = 32 << 20


@dataclass(frozen=True)
class Imported:
    """The records of a file, and what of it could not be used."""

    records: tuple[Record, ...]
    warnings: tuple[str, ...]


def read_results(data: bytes, source: str) -> Imported:
    """llama-bench's JSON, JSONL, CSV, Markdown or SQL, or llama-sweep-bench's table or JSONL. `source` names the file.

    Errors: ResultError if there is not one usable row.
    """
    text = _text(data, source)
    parsed = _parsed(text)
    sweeps = sweep_records((*read_sweep_tables(text), *filter(is_sweep, parsed.rows)), source)
    made = [(row, to_record(row, source)) for row in parsed.rows if not is_sweep(row)]
    lost = sum(record is None for _, record in made)
    warnings = (*parsed.warnings, *([f"{lost} rows say not what was measured or how fast; left out"] if lost else []))
    records = _distinct((*(record for _, record in made if record is not None), *sweeps))
    if not records:
        why = "; ".join(warnings) or "no llama-bench or llama-sweep-bench output was recognised"
        raise ResultError(f"{source}: nothing to import: {why}. Known: JSON, JSONL, CSV, Markdown and SQL (-o).")
    return Imported(records, warnings)


def store_import(imported: Imported, source: str, results: Path) -> Path:
    """Write the records as a run below `results` and return its folder; the same file again gives the same folder."""
    identity = "".join(sorted(record.case.case_id for record in imported.records))
    name = f"imported-{slug(Path(source).stem) or 'results'}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
    folder = results / name
    folder.mkdir(parents=True, exist_ok=True)
    records = [dataclasses.replace(record, run=name) for record in imported.records]
    started = min((r.test_time for r in records if r.test_time), default=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    cases = tuple(record.case for record in records)
    info = RunInfo(name, "imported", "", ("harness", "import", source), started, cases, notes=_notes(imported))
    for record in records:
        write_record(folder, record)
    write_info(folder, info)
    return folder


def _notes(imported: Imported) -> tuple[tuple[str, str], ...]:
    return tuple(("import", warning) for warning in imported.warnings)


def _text(data: bytes, source: str) -> str:
    if len(data) > LARGEST_BYTES:
        raise ResultError(f"{source}: {len(data)} bytes; imports of up to {LARGEST_BYTES} bytes are read. Split it.")
    if data.startswith(b"SQLite format 3\0"):
        raise ResultError(f"{source}: an SQLite file. Import its text: `sqlite3 {Path(source).name} .dump > dump.sql`.")
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"  # PowerShell's > writes UTF-16
    return data.decode(encoding, errors="replace").replace("\r\n", "\n")


def _parsed(text: str) -> Parsed:
    if re.search(r"^\s*\[?\s*\{", text, re.MULTILINE):
        return read_json(text)
    if is_sql(text):
        return read_sql(text)
    if is_csv(text):
        return read_csv(text)
    return read_llama_bench(text)


def _distinct(records: tuple[Record, ...]) -> tuple[Record, ...]:
    """A file may hold the same test twice; each keeps a name of its own."""
    seen: Counter[str] = Counter()
    out = []
    for record in records:
        name = record.case.case_id
        seen[name] += 1
        if seen[name] > 1:
            case = dataclasses.replace(record.case, case_id=f"{name}-{seen[name]}")
            record = dataclasses.replace(record, case=case)  # noqa: PLW2901
        out.append(record)
    return tuple(out)
