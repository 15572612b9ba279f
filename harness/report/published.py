"""Figures that others published, with their sources. They are drawn beside a run on request and are in no verdict."""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from harness.report.charts import Line


@dataclass(frozen=True)
class Published:
    """One published table. `merge` says what its heading says of the merge; `heading_known` is False for one without.

    `rows` have `published_figures.json`'s columns for their kind; None where a figure was not stated or cut off.
    """

    name: str
    kind: str
    source: str
    engine: str
    tool: str
    hardware: str
    model: str
    quant: str
    merge: str
    heading_known: bool
    caveat: str
    rows: tuple[tuple[object, ...], ...]

    @property
    def label(self) -> str:
        """What a legend calls it: always as published by others, always on their machine."""
        what = self.model if self.heading_known else f"model and merge not known ({self.name})"
        merge = f", merge {self.merge}" if self.heading_known and self.merge in {"on", "off"} else ""
        return f"published by others: {what}{merge}, {self.hardware}"

    def curve(self, phase: str, variant: int) -> Line:
        """A sweep's speed against depth, without the points that were cut off."""
        place = {"pp": 4, "tg": 6}[phase]
        points = [(float(str(row[2])), float(str(row[place]))) for row in self.rows if row[place] is not None]
        return Line(self.label, variant, tuple(x for x, _ in points), tuple(y for _, y in points))


@cache
def everything() -> tuple[Published, ...]:
    """All published tables, in the order of the file."""
    text = files("harness.report").joinpath("data", "published_figures.json").read_text(encoding="utf-8")
    return tuple(_parsed(table) for table in json.loads(text)["tables"])


def names() -> tuple[str, ...]:
    """What `report: {reference: [...]}` may name."""
    return tuple(table.name for table in everything())


def find(wanted: Sequence[str]) -> tuple[tuple[Published, ...], tuple[str, ...]]:
    """The tables named, or whose name starts so (ik-1403 means both of its tables), and a sentence per unknown name."""
    found: dict[str, Published] = {}
    problems = []
    for name in wanted:
        matches = [t for t in everything() if t.name == name or t.name.startswith(f"{name}-")]
        found.update({table.name: table for table in matches})
        if not matches:
            near = difflib.get_close_matches(name, names(), 1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names())}."
            problems.append(f"No published figure is called “{name}”; {hint}")
    return tuple(found.values()), tuple(problems)


def asked_for(config_text: str) -> tuple[str, ...]:
    """The names below `report: reference:` of a config; () where the text is no config any more."""
    try:
        config = yaml.safe_load(config_text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return ()
    report = config.get("report") if isinstance(config, dict) else None
    reference = report.get("reference") if isinstance(report, dict) else None
    listed = reference if isinstance(reference, list) else [reference]
    return tuple(name for name in listed if isinstance(name, str))


def _parsed(table: dict[str, object]) -> Published:
    rows = table["rows"]
    return Published(
        name=str(table["name"]),
        kind=str(table["kind"]),
        source=str(table["source"]),
        engine=str(table["engine"]),
        tool=str(table["tool"]),
        hardware=str(table["hardware"]),
        model=str(table.get("model", "")),
        quant=str(table.get("quant", "")),
        merge=str(table.get("merge", "")),
        heading_known=table.get("heading_known") is not False,
        caveat=str(table.get("caveat", "")),
        rows=tuple(map(tuple, rows)) if isinstance(rows, list) else (),
    )
