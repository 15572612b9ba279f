"""How to repeat the run: the exact command, the configuration as text, and which code ran."""

import shlex
from collections.abc import Sequence

from harness.records.record import Record, RunInfo
from harness.report.blocks import Block, Code, Section
from harness.report.table import Column, Table, named_rows, words


def section(info: RunInfo, records: Sequence[Record], number: int = 0) -> Section:
    """Command, YAML, commits and what the run left out. `number` tells a page's runs apart; 0 where there is one."""
    key, named = (f"repeat-{number}", f" {info.run}") if number else ("repeat", "")
    blocks: list[Block] = [Code("Command", shlex.join(info.command)), Code("Configuration", info.config_text)]
    blocks.append(
        named_rows(
            f"{key}-code",
            "Which code ran",
            ("what", "value"),
            (
                ("harness commit", info.harness_commit),
                ("engine commit", ", ".join(sorted({r.build_commit for r in records if r.build_commit}))),
                ("engine", ", ".join(sorted({_engine(r) for r in records}))),
                ("started", info.started),
                ("result schema", str(info.schema)),
            ),
        )
    )
    if info.notes:
        columns = (Column("where", "text"), Column("what", "text"))
        rows = tuple((words(where), words(text)) for where, text in info.notes)
        blocks.append(Table(f"{key}-notes", "What was chosen or left out", columns, rows))
    return Section(key, f"Repeat{named}" if named else "Repeat it", f"Repeat{number or ''}", tuple(blocks))


def _engine(record: Record) -> str:
    version = record.load.engine_version if record.load else ""
    engine = record.case.axes.engine
    return version if version.startswith(engine) else f"{engine} {version}".strip()
