"""What a worker is told on its standard input: one line of JSON. A worker does one job and ends."""

from dataclasses import dataclass
from typing import Literal

from harness.records.case import Case, ModelRef

JobKind = Literal["case", "serve", "prepare", "survey"]


@dataclass(frozen=True)
class LogitsTask:
    """The equivalence pass before timing: save this side's logits to `path`, or compare with those that lie there.

    `exact`: the change was promised to be bit-identical. `other_engine`: two correct engines may be further apart than
    one is from itself. `against` is the case whose logits they are.
    """

    mode: Literal["save", "compare"]
    path: str
    against: str = ""
    exact: bool = False
    other_engine: bool = False


@dataclass(frozen=True)
class Job:
    """case: measure `case`, alone. serve: load it and take samples as told (`serve.py`).

    prepare: make `model`'s file at `target`. survey: the limits of the machine with `threads` each, and of `devices`.
    """

    kind: JobKind
    case: Case | None = None
    logits: LogitsTask | None = None
    model: ModelRef | None = None
    target: str = ""
    threads: tuple[int, ...] = ()
    devices: tuple[str, ...] = ()
