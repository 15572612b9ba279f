"""What a report is made of, in order: sections of prose, tables, charts, code, and folds that hide any of them.

A renderer handles every kind of block; a section knows nothing of HTML, Markdown or terminals.
"""

from dataclasses import dataclass
from typing import Literal, Union

from harness.report.charts import Chart
from harness.report.table import Table

Mood = Literal["", "good", "bad", "warn", "quiet"]


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    text: str
    mood: Mood = ""


@dataclass(frozen=True)
class Code:
    """Text to be copied as it stands."""

    label: str
    text: str


@dataclass(frozen=True)
class Row:
    """Charts that stand side by side where there is room; `beside` takes the place of a single chart's data table."""

    charts: tuple[Chart, ...]
    beside: Table | None = None


@dataclass(frozen=True)
class Fold:
    """Blocks behind a disclosure."""

    summary: str
    blocks: tuple["Block", ...]


Block = Union[Prose, Code, Row, Fold, Table]  # noqa: UP007  the recursion needs the older form


@dataclass(frozen=True)
class Section:
    """`key` is the anchor, `short` its name in the page's menu. `brief` sections are also in Markdown and terminals."""

    key: str
    title: str
    short: str
    blocks: tuple[Block, ...]
    brief: bool = False


@dataclass(frozen=True)
class Verdict:
    """One figure of the first screen: what changed, by how much, and how sure that is."""

    what: str
    figure: str
    interval: str
    word: str
    mood: Mood


@dataclass(frozen=True)
class Headline:
    """The verdict on one pair in a sentence, its figures, and what a reader must know before believing them."""

    about: str
    sentence: str
    mood: Mood
    verdicts: tuple[Verdict, ...]
    cautions: tuple[Prose, ...] = ()


@dataclass(frozen=True)
class Part:
    """The sections about one group of variants. `legend` is (label, colour)."""

    key: str
    title: str
    stand_in: bool
    headlines: tuple[Headline, ...]
    legend: tuple[tuple[str, int], ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Document:
    """A whole report: parts about groups, then sections about the run."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[Prose, ...]
    parts: tuple[Part, ...]
    sections: tuple[Section, ...]
