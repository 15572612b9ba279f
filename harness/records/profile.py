"""Where the time of a row goes: every operation of the program, timed in a pass of its own, beside what it costs.

Lies beside the case's record in the run's folder. `PROFILE_SCHEMA` counts changes of this shape.
"""

from dataclasses import dataclass

from harness.records.case import Case

PROFILE_SCHEMA = 1


@dataclass(frozen=True)
class OpTime:
    """One operation of the program over one repetition of a row: all its ubatches or tokens together.

    All but `ns` is counted from the program: `bytes` of weights and KV cache, `activation_bytes` and `launches` as
    `harness.core.program.costs` defines them, `tiles` as `harness.core.cuda.tiling` does. `runs_ns` are the repetitions
    of which `ns` is the median.
    """

    name: str
    layer: int
    calls: int
    ns: int
    macs: float
    bytes: float
    activation_bytes: float = 0
    launches: int = 0
    tiles: float = 0
    runs_ns: tuple[int, ...] = ()


@dataclass(frozen=True)
class RowProfile:
    """Medians over `n_runs` repetitions. `plain_ns`: the row's time without timing its operations.

    Repetition i of a case was taken beside repetition i of the other cases of its contest. `disturbed`: something else
    used the machine in so many of them that those count too.
    """

    test: str
    n_tokens: int
    n_runs: int
    plain_ns: int
    ops: tuple[OpTime, ...]
    plain_runs_ns: tuple[int, ...] = ()
    disturbed: bool = False


@dataclass(frozen=True)
class CaseProfile:
    """The rows of one case."""

    case: Case
    rows: tuple[RowProfile, ...]
    schema: int = PROFILE_SCHEMA
