"""Partial sums that CUDA devices exchange all at once: of which reduces, and by what. None where copies must do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from harness.core.cuda.api import Communicator
from harness.core.program.collectives import Collective, collectives
from harness.core.program.op import Program
from harness.core.program.rendezvous import Turn


@dataclass(frozen=True)
class Gathers:
    """`found` is empty where there is no communicator."""

    found: tuple[Collective, ...] = ()
    communicator: Communicator | None = None

    @classmethod
    def of(
        cls, program: Program, order: Sequence[Turn], join: Callable[[tuple[str, ...]], Communicator | None]
    ) -> Self:
        """`join`: the communicator of devices in order of rank, which is asked for where a program has use for it."""
        found = collectives(program, order)
        communicator = join(found[0].devices) if found else None
        return cls() if communicator is None else cls(found, communicator)

    @property
    def beginnings(self) -> Mapping[str, Communicator]:
        """Outputs of the reduces at whose turn an exchange begins, each the first of its partial sums."""
        return {each.sums[0]: self.communicator for each in self.found if self.communicator is not None}

    @property
    def sums(self) -> frozenset[str]:
        """Outputs of the reduces."""
        return frozenset(name for each in self.found for name in each.sums)
