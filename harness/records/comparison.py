"""Two results laid side by side: the arrow from `harness compare` to its tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Compared:
    """One series on both sides. `a` and `b` in `unit`; `ratio`: speed of b over a, with its 99 % interval.

    `columns`: what is equal on both sides. `sessions`: how many processes each side has. `basis`: what the interval
    rests on.
    """

    columns: Mapping[str, str]
    unit: str
    a: float
    b: float
    sessions: tuple[int, int]
    ratio: float
    low: float
    high: float
    verdict: Literal["FASTER", "SLOWER", "SAME", "CANNOT TELL"]
    basis: str


@dataclass(frozen=True)
class Comparison:
    """`differ`: columns in which the sides as wholes differ. `alone`: series that only a, only b has."""

    a: str
    b: str
    differ: Mapping[str, tuple[str, str]]
    rows: tuple[Compared, ...]
    alone: tuple[int, int]
