"""A table as data: the same object becomes HTML, Markdown, CSV or a terminal table, so that all four agree.

A cell holds the text that people read and, where that is not enough to sort by, the value behind it.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from harness.report import numbers

Kind = Literal["text", "number"]
Tone = Literal["", "good", "bad", "warn", "quiet"]


@dataclass(frozen=True)
class Cell:
    """`value` sorts the cell; None where nothing was measured. `variant` is the colour of its swatch, -1 for none."""

    text: str
    value: float | None = None
    tone: Tone = ""
    variant: int = -1


@dataclass(frozen=True)
class Column:
    """`band` is the heading above neighbouring columns, `variant` the colour of that band."""

    head: str
    kind: Kind = "number"
    band: str = ""
    variant: int = -1


@dataclass(frozen=True)
class Band:
    """A heading over `span` columns."""

    text: str
    span: int
    variant: int


@dataclass(frozen=True)
class Table:
    """`key` is unique on its page; `caption` says what the rows are."""

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    n_keys: int = 1  # leading columns that say what a row is about

    @property
    def bands(self) -> tuple[Band, ...]:
        """The upper heading row; () if no column is in a band."""
        if not any(column.band for column in self.columns):
            return ()
        bands: list[Band] = []
        for column in self.columns:
            if bands and bands[-1].text == column.band:
                bands[-1] = Band(column.band, bands[-1].span + 1, column.variant)
            else:
                bands.append(Band(column.band, 1, column.variant))
        return tuple(bands)

    def starts_band(self, place: int) -> bool:
        """Whether a rule is drawn before the column at `place`."""
        return place > 0 and self.columns[place].band != self.columns[place - 1].band

    def by_variant(self) -> tuple[tuple[str, "Table"], ...]:
        """One table per variant in the PR's own columns, where variants have several each; else the whole under "".

        Columns outside of bands are in each; those of other bands (the ratios) go to the last.
        """
        shared = [place for place, column in enumerate(self.columns) if not column.band]
        rest = [place for place, column in enumerate(self.columns) if column.band and column.variant < 0]
        bands: dict[str, list[int]] = {}
        for place, column in enumerate(self.columns):
            if column.band and column.variant >= 0:
                bands.setdefault(column.band, []).append(place)
        if not bands or min(map(len, bands.values())) == 1:
            return (("", self),)
        last = list(bands)[-1]
        return tuple(
            (band, self._only((*shared, *places, *(rest if band == last else ())))) for band, places in bands.items()
        )

    def _only(self, places: tuple[int, ...]) -> "Table":
        """The columns at `places` with headings of their own."""
        chosen = [self.columns[place] for place in places]
        columns = tuple(
            replace(c, head=f"{c.band} {c.head}" if c.band and c.variant < 0 else c.head, band="") for c in chosen
        )
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        return replace(self, columns=columns, rows=rows)

    @property
    def full_heads(self) -> tuple[str, ...]:
        """Headings that stand alone: the band's text goes before the column's."""
        return tuple(f"{column.band}: {column.head}" if column.band else column.head for column in self.columns)


def words(text: str, tone: Tone = "", variant: int = -1) -> Cell:
    """A cell of text."""
    return Cell(text, None, tone, variant)


def nothing() -> Cell:
    """A cell for what was not measured."""
    return Cell(numbers.NOTHING, None, "quiet")


def number(value: float | None, text: str, tone: Tone = "") -> Cell:
    """A cell of a number; `nothing()` for None."""
    return nothing() if value is None else Cell(text, value, tone)


def named_rows(key: str, caption: str, heads: tuple[str, str], pairs: Iterable[tuple[str, str]]) -> Table:
    """A table of names and texts; pairs without a text are left out."""
    columns = (Column(heads[0], "text"), Column(heads[1], "text"))
    return Table(key, caption, columns, tuple((words(name), words(text)) for name, text in pairs if text))


def to_csv(table: Table) -> str:
    """The table as CSV with full headings; a cell that a spreadsheet would run as a formula is quoted."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_plain(head) for head in table.full_heads])
    writer.writerows([[_plain(cell.text) for cell in row] for row in table.rows])
    return out.getvalue()


def _plain(text: str) -> str:
    return "'" + text if text[:1] in {"=", "@", "+", "-", "\t"} and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text.replace("%", "").strip())
    except ValueError:
        return False
    return True
