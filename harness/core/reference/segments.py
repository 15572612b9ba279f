"""Runs one device's part of a program that several devices share, segment by segment."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.core.options import Options
from harness.core.program.segments import Script
from harness.core.reference.arithmetic import F32
from harness.core.reference.context import ReferenceContext, Values
from harness.core.reference.products import Product
from harness.core.reference.weights import Stored


class ReferenceSegments:
    """See `harness.core.backend.Segments`."""

    def __init__(
        self, script: Script, options: Options, weights: Mapping[tuple[str, str], Stored], product: Product
    ) -> None:
        self._script = script
        self._context = ReferenceContext(script.program, options, weights, product)
        self._values: Values = {}

    def run_segment(
        self, index: int, tokens: NDArray[np.int32], position: int, given: Mapping[str, F32]
    ) -> dict[str, F32]:
        segment, state = self._script.segments[index], self._context.state(tokens, position)
        self._values.update(given)
        for op in segment.ops:
            self._context.run_op(op, state, self._values)
        return {name: self._values[name].reshape(len(tokens), -1) for name in segment.outputs}

    def expert_counts(self) -> NDArray[np.int64]:
        return self._context.expert_counts()

    def close(self) -> None:
        self._values = {}
        self._context.close()
