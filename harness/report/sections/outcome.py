"""Cases without a result, shown as what they are: never as a speed, never left out."""

from collections.abc import Sequence

from harness.records.record import Record
from harness.report.blocks import Block, Code, Fold, Prose, Section
from harness.report.speeds import is_valid
from harness.report.table import Column, Table, words

MEANING = {
    "failed": "the engine refused or failed",
    "oom": "out of memory",
    "timeout": "past its deadline",
    "crashed": "the worker process died",
    "invalid": "fast and wrong: no speed is shown",
    "skipped": "not run",
    "interrupted": "stopped by the user",
}

WORDS = {"oom": "out of memory", "timeout": "timed out"}


def section(records: Sequence[Record]) -> Section | None:
    """A row per case that is not ok, with the end of its stderr behind a disclosure."""
    bad = [record for record in records if not is_valid(record)]
    if not bad:
        return None
    columns = tuple(Column(head, "text") for head in ("case", "model", "test", "outcome", "what happened", "phase"))
    rows = tuple(
        (
            words(record.case.case_id),
            words(record.case.model.label),
            words(record.case.test.label),
            words(outcome(record), "bad"),
            words(reason(record)),
            words(record.error.phase if record.error else ""),
        )
        for record in bad
    )
    tails = tuple(Code(r.case.case_id, r.error.stderr_tail) for r in bad if r.error and r.error.stderr_tail)
    folds: tuple[Block, ...] = (Fold("The end of what these cases wrote to stderr", tails),) if tails else ()
    note = Prose("These cases have no speed anywhere in this report.", "quiet")
    table = Table("outcome-table", "Cases without a result", columns, rows)
    return Section("outcome", "Cases without a result", "Failures", (table, *folds, note), brief=True)


def outcome(record: Record) -> str:
    """The outcome in a word; INVALID goes before everything."""
    wrong = record.equivalence.verdict == "INVALID" or record.status == "invalid"
    return "INVALID" if wrong else WORDS.get(record.status, record.status)


def reason(record: Record) -> str:
    """Why, in a sentence."""
    if record.error is not None and record.error.message:
        return record.error.message
    if record.equivalence.verdict == "INVALID":
        return record.equivalence.note or f"its results differ from {record.equivalence.against}"
    return MEANING.get(record.status, "")
