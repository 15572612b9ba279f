"""One ubatch on several devices: which of its tokens a step deals with."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import LogitsOf
from harness.core.program.segments import Step


@dataclass(frozen=True)
class Batch:
    """`tokens` enter at `position`; the logits of the last `n_wanted` are asked for."""

    tokens: NDArray[np.int32]
    position: int
    n_wanted: int

    @classmethod
    def of(cls, tokens: NDArray[np.int32], position: int, logits_of: LogitsOf) -> Self:
        """As `Context.run` is asked for it."""
        return cls(tokens, position, {"none": 0, "last": 1, "all": len(tokens)}[logits_of])

    def n_tokens(self, step: Step) -> int:
        """How many tokens the step has to deal with; none where it is for ubatches of other sizes."""
        n = len(self.tokens) if step.all_tokens else self.n_wanted
        return n if n in step.sizes else 0

    def last(self, n: int) -> tuple[NDArray[np.int32], int]:
        """The last `n` tokens and where they stand."""
        return self.tokens[len(self.tokens) - n :], self.position + len(self.tokens) - n
