"""The report as GitHub's Markdown, for a pull request's comment and for stdout; padded so that it reads as text too.

Foreign text cannot become markup, a link, a mention or mathematics. Figures are left out; their tables stay.
"""

import re
from collections.abc import Iterator, Sequence

from harness.records.record import Record
from harness.report.blocks import Block, Code, Document, Fold, Part, Prose, Row, Section
from harness.report.charts import Chart, CloudChart, HeatMap, LineChart, Waterfall
from harness.report.document import records_document
from harness.report.table import Table

_MARKUP = re.compile(r"[\\`*~|<$]|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])|&(?=#?\w+;)")
_LINKS = re.compile(r"@(?=\w)|://|\bwww\.", re.IGNORECASE)
_BLOCK_START = re.compile(r"^(?:[#>]|[+-](?=[\s+-])|=+$)")
_LIST_NUMBER = re.compile(r"^(\d+)([.)])(?=\s|$)")
ENTITIES = {"<": "&lt;", "&": "&amp;"}
BREAK = "\N{ZERO WIDTH SPACE}"


def run_markdown(records: Sequence[Record]) -> str:
    """A run's records as Markdown: verdicts, the PR's tables with the ratio, tests, load, cases without a result."""
    return document_markdown(records_document(records))


def document_markdown(document: Document) -> str:
    """Any document as Markdown; only its brief sections."""
    lines = [f"# {escape(document.title)}", "", escape(document.subtitle), ""]
    lines += [f"{escape(name)}: {escape(value)}  " for name, value in document.facts if value]
    for warning in document.warnings:
        lines += ["", f"> {escape(warning.text)}"]
    for part in document.parts:
        lines += _part(part, alone=len(document.parts) == 1)
    for section in document.sections:
        lines += _section(section, "##")
    return "\n".join(lines).rstrip() + "\n"


def section_markdown(section: Section) -> str:
    """One section, if it is a brief one."""
    return "\n".join(_section(section, "##"))


def escape(text: str) -> str:
    """`text` so that it shows as itself wherever inline Markdown is read."""
    flat = " ".join(text.split("\n"))
    inert = _MARKUP.sub(lambda match: ENTITIES.get(match[0], f"\\{match[0]}"), flat)
    unlinked = _LINKS.sub(lambda match: match[0][0] + BREAK + match[0][1:], inert)
    return _LIST_NUMBER.sub(r"\1\\\2", _BLOCK_START.sub(r"\\\g<0>", unlinked))


def table_markdown(table: Table) -> str:
    """A table; where variants have several columns each, one table per variant in the PR's own columns."""
    parts = table.by_variant()
    return "\n\n".join(f"**{escape(title)}**\n\n{_grid(part)}" if title else _grid(part) for title, part in parts)


def _grid(table: Table) -> str:
    texts = [[escape(head) or " " for head in table.full_heads]]
    texts += [[escape(cell.text) for cell in row] for row in table.rows]
    widths = [max(3, *map(len, column)) for column in zip(*texts, strict=True)]
    right = [column.kind == "number" for column in table.columns]
    rule = [
        ("-" * (width - 1) + ":") if at_right else "-" * width for width, at_right in zip(widths, right, strict=True)
    ]
    padded = [
        [
            text.rjust(width) if at_right else text.ljust(width)
            for text, width, at_right in zip(row, widths, right, strict=True)
        ]
        for row in texts
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (padded[0], rule, *padded[1:]))


def _part(part: Part, *, alone: bool) -> Iterator[str]:
    yield ""
    if not alone:
        yield f"## {escape(part.title)}"
        yield ""
    for found in part.headlines:
        about = f" ({escape(found.about)})" if found.about else ""
        yield f"**{escape(found.sentence)}**{about}"
        yield ""
    for caution in dict.fromkeys(caution for found in part.headlines for caution in found.cautions):
        yield from (escape(caution.text), "")
    for section in part.sections:
        yield from _section(section, "##" if alone else "###")


def _section(section: Section, level: str) -> Iterator[str]:
    if not section.brief:
        return
    told = [text for block in section.blocks for text in _block(block)]
    if told:
        yield from (f"{level} {escape(section.title)}", "")
        yield from told


def _block(block: Block) -> Iterator[str]:
    match block:
        case Table():
            yield from (table_markdown(block), "")
        case Prose():
            yield from (escape(block.text), "")
        case Row(beside=Table() as table):
            yield from (table_markdown(table), "")
        case Row():
            for chart in block.charts:
                yield from _chart(chart)
        case Code():
            yield from (f"{escape(block.label)}:", "", _fenced(block.text), "")
        case Fold():
            yield from ("<details>", f"<summary>{escape(block.summary)}</summary>", "")
            for inner in block.blocks:
                yield from _block(inner)
            yield from ("</details>", "")


def _chart(chart: Chart) -> Iterator[str]:
    """Curves repeat the sweep tables, clouds the samples, waterfalls what stands below them: none has a table here."""
    if not isinstance(chart, LineChart | CloudChart | HeatMap | Waterfall):
        yield from (table_markdown(chart.table()), "")


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}"
