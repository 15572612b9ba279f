"""A config as read: checked values, nothing expanded, no file looked for. Axes hold a tuple of values each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.config.source import Mark, Source
from harness.records.case import Case, Note, Sampling, StandIn, Test

DEFAULT_TESTS = (Test("pp", 512), Test("tg", 0, 128))
"""llama-bench's."""

AxisValues = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True)
class ModelEntry:
    """One entry of `models`; `get` tells people how to come by the file."""

    name: str
    mark: Mark
    gguf: str | None = None
    stand_in: StandIn | None = None
    mixture_of: str | None = None
    get: str = ""


@dataclass(frozen=True)
class Settings:
    """What is measured and how well; `when` may change all of it. `sampling.time_budget_ns` is the whole config's."""

    axes: AxisValues
    tests: tuple[Test, ...] = DEFAULT_TESTS
    sampling: Sampling = field(default_factory=Sampling)
    fake: str = ""

    def changed(self, other: "Changes") -> "Settings":
        """These settings with `other`'s in place of those it names."""
        return Settings(
            axes={**self.axes, **other.axes},
            tests=other.tests or self.tests,
            sampling=replace(self.sampling, **other.sampling),
            fake=other.fake or self.fake,
        )


@dataclass(frozen=True)
class Changes:
    """Values given in the file: those of the top level, or those of one `set`."""

    axes: AxisValues = field(default_factory=dict)
    tests: tuple[Test, ...] = ()
    sampling: Mapping[str, Any] = field(default_factory=dict)
    fake: str = ""


@dataclass(frozen=True)
class Condition:
    """One entry of `when`; an empty pattern is no condition."""

    where: str
    device: str
    model: str
    engine: str
    changes: Changes


@dataclass(frozen=True)
class Point:
    """One entry of `include` or `exclude`: axes with the values they stand for, on models that match."""

    where: str
    model: str
    axes: AxisValues


@dataclass(frozen=True)
class Peer:
    """One entry of `peers`: an executable as written."""

    name: str
    path: str
    mark: Mark


@dataclass(frozen=True)
class Config:
    """A whole config. `folder` is where its relative paths begin, `matrix_mark` where a too large matrix shows."""

    name: str
    source: Source
    folder: Path
    models: tuple[ModelEntry, ...]
    settings: Settings
    matrix_mark: Mark
    include: tuple[Point, ...] = ()
    exclude: tuple[Point, ...] = ()
    when: tuple[Condition, ...] = ()
    compare: str = ""
    peers: Mapping[str, Peer] = field(default_factory=dict)


@dataclass(frozen=True)
class Expansion:
    """What a config comes to on this machine: cases in the order to run them, and what a person should know about them.

    `text` is the config as given, with a comment line per `--set`.
    """

    name: str
    cases: tuple[Case, ...]
    notes: tuple[Note, ...]
    text: str
