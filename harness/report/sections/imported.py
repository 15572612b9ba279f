"""Results that came from other tools: shown as theirs, in a table of their own, in no curve and no verdict."""

from collections.abc import Sequence

from harness.records.record import Record
from harness.report import numbers
from harness.report.blocks import Prose, Section
from harness.report.speeds import speeds
from harness.report.table import Column, Table, number, words


def section(records: Sequence[Record]) -> Section | None:
    """One row per measurement; None without imported records."""
    foreign = [record for record in records if record.imported_from]
    rows = tuple(
        (
            words(record.imported_from),
            words(record.case.model.label),
            words(record.fingerprint.gpu_info or record.fingerprint.cpu_info),
            words(speed.row.test),
            number(speed.tokens_per_s, numbers.rate(speed.tokens_per_s)),
        )
        for record in foreign
        for speed in speeds([record])
    )
    if not foreign:
        return None
    columns = (*(Column(head, "text") for head in ("imported from", "model", "machine", "test")), Column("t/s"))
    note = Prose("Measured by other tools, perhaps on other machines. They enter no comparison here.", "warn")
    return Section(
        "imported",
        "Imported results",
        "Imported",
        (note, Table("imported-table", "Imported results", columns, rows)),
        brief=True,
    )
