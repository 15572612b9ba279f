"""Regressions somebody has accepted for a while: a YAML file that is reviewed and committed like a config.

acknowledged:
  - series: "gpt-oss-20b * tg128*"   # a glob over the series' name, as the gate prints it
    until: 2026-12-31                # the last day it counts; afterwards the alarm is back
    at_most: 5 %                     # larger slowdowns alarm all the same; without it, any is accepted
    reason: dequantisation moved, being mended
"""

from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness.config.groups import Field, ListOf, Record
from harness.config.kinds import Quantity, Text
from harness.config.place import Place
from harness.config.problems import Problems
from harness.config.tree import MAX_BYTES, parse
from harness.config.units import SHARE, share
from harness.errors import ConfigError


@dataclass(frozen=True)
class Acknowledgement:
    """`at_most`: the largest relative slowdown it covers; None covers any."""

    series: str
    until: date
    reason: str
    at_most: float | None = None

    def covers(self, series: str, ratio: float, today: date) -> bool:
        """Whether a slowdown of `series` to `ratio` of its speed is accepted today."""
        small = self.at_most is None or 1 - ratio <= self.at_most
        return today <= self.until and small and fnmatchcase(series, self.series)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError("expected a day such as 2026-12-31") from None


_ENTRY = Record(
    {
        "series": Field(Text("a glob over series"), "which series, as a glob over what the gate prints", required=True),
        "until": Field(
            Quantity(_day, r"^\d{4}-\d{2}-\d{2}$", "a day such as 2026-12-31"), "the last day", required=True
        ),
        "reason": Field(Text("a reason"), "why it is accepted", required=True),
        "at_most": Field(Quantity(share, SHARE, "a share such as 5 %"), "the largest slowdown it covers"),
    }
)
_DOCUMENT = Record({"acknowledged": Field(ListOf(_ENTRY, "a list of acknowledgements"), "", required=True)})


def load_acknowledged(path: Path) -> tuple[Acknowledgement, ...]:
    """The acknowledgements in file `path`. Errors: ConfigError that shows every mistake."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    problems = Problems()
    _, root = parse(data, str(path), problems)
    values = _DOCUMENT.read(root, Place("", problems))
    problems.stop_if_any()
    entries: tuple[dict[str, Any], ...] = (values or {}).get("acknowledged", ())
    return tuple(Acknowledgement(**entry) for entry in entries)
