"""Where the time of a row goes: every operation of the program, timed in a pass of its own, beside what it costs."""

from dataclasses import dataclass

from harness.records.case import Case


@dataclass(frozen=True)
class OpTime:
    """One operation of the program over one repetition of a row: all its ubatches or tokens together.

    `bytes` are those of weights and KV cache, as the program's plan counts them.
    """

    name: str
    layer: int
    calls: int
    ns: int
    macs: float
    bytes: float


@dataclass(frozen=True)
class RowProfile:
    """Medians over `n_runs` repetitions. `plain_ns`: the row's time without timing its operations."""

    test: str
    n_tokens: int
    n_runs: int
    plain_ns: int
    ops: tuple[OpTime, ...]


@dataclass(frozen=True)
class CaseProfile:
    """The rows of one case."""

    case: Case
    rows: tuple[RowProfile, ...]
