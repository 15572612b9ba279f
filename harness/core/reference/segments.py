"""Runs one device's part of a program that several devices share, segment by segment."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.core.options import Options
from harness.core.program.op import CROSSINGS
from harness.core.program.segments import Script
from harness.core.reference.arithmetic import F32
from harness.core.reference.context import ReferenceContext
from harness.core.reference.products import Product
from harness.core.reference.state import Routing
from harness.core.reference.weights import Stored


class ReferenceSegments:
    """See `harness.core.backend.Segments`."""

    def __init__(
        self, script: Script, options: Options, weights: Mapping[tuple[str, str], Stored], product: Product
    ) -> None:
        self._script = script
        own = tuple(op for op in script.program.ops if op.name not in CROSSINGS)
        self._context = ReferenceContext(replace(script.program, ops=own), options, weights, product)
        self._top_k = {op.outputs[0]: int(op.params["top_k"]) for op in own if op.name == "moe_up_gate"}
        self._act_columns = {
            value.name: value.columns for value in script.program.values if value.kind == "act"
        }
        self._values: dict[str, F32 | Routing] = {}

    def run_segment(
        self, index: int, tokens: NDArray[np.int32], position: int, given: Mapping[str, F32]
    ) -> dict[str, F32]:
        segment = self._script.segments[index]
        self._values.update(given)
        self._context.run_ops(segment.ops, self._values, tokens, position)
        return {name: self._flat(self._values[name], len(tokens)) for name in segment.outputs}

    def expert_counts(self) -> NDArray[np.int64]:
        return self._context.expert_counts()

    def close(self) -> None:
        self._values = {}
        self._context.close()

    @staticmethod
    def _flat(value: F32 | Routing, n_tokens: int) -> F32:
        assert not isinstance(value, Routing)
        return value.reshape(n_tokens, -1)
