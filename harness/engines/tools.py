"""What the sampling loop reads besides the engine: a clock, and the machine's state at a sample's edges."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from harness.records.case import Case
from harness.records.timing import Contention


class Joules(Protocol):
    """Energy of one sample; None and the reason where it is not known."""

    @property
    def joules(self) -> float | None: ...

    @property
    def why(self) -> str: ...


class Observation(Protocol):
    """What lay between two marks: `disturbed` why to retake the sample, `broken` why the device cannot go on."""

    @property
    def contention(self) -> Contention: ...

    @property
    def energy(self) -> Joules: ...

    @property
    def telemetry(self) -> Mapping[str, float]: ...

    @property
    def disturbed(self) -> str: ...

    @property
    def broken(self) -> str: ...


class Probe(Protocol):
    """`harness.telemetry.watch.Watch` is the real one."""

    def mark(self) -> Any:
        """All counters, taken right before and right after the timed part."""
        ...

    def between(self, start: Any, end: Any) -> Observation:
        """What happened from one mark to another."""
        ...

    def close(self) -> None:
        """Never raises."""
        ...


@dataclass(frozen=True)
class Tools:
    """`clock` is in nanoseconds and monotonic."""

    clock: Callable[[], int]
    probe: Probe


@runtime_checkable
class BringsTools(Protocol):
    """An engine with a time of its own."""

    def tools(self, case: Case) -> Tools | None:
        """None: the machine's clock and probe are right."""
        ...
