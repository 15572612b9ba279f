"""`copy`, `gather` and `reduce` on values that lie in the host's memory; what they mean is said in op.py."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.core.formats.bf16 import CODEC as BF16
from harness.core.program.op import Op

F32 = NDArray[np.float32]


def cross(op: Op, values: Sequence[F32]) -> F32:
    """The output of a crossing, [T, columns], of inputs [T, columns] each."""
    return _CROSSINGS[op.name](op, values)


def _copy(_op: Op, values: Sequence[F32]) -> F32:
    (value,) = values
    return value


def _gather(op: Op, values: Sequence[F32]) -> F32:
    n_tokens, n_slots = len(values[0]), int(op.params["n_slots"])
    by_slot = [value.reshape(n_tokens, n_slots, -1) for value in values]
    return np.concatenate(by_slot, axis=2).reshape(n_tokens, -1)


def _reduce(op: Op, values: Sequence[F32]) -> F32:
    """Every partial sum is rounded to the wire's type, that of this device too, so that all devices get one result."""
    partial, x = (values[:-1], values[-1]) if op.params["residual"] else (values, None)
    rounded = _ON_THE_WIRE[str(op.params["wire"])]
    if len(partial) == 1:
        return rounded(partial[0]) if x is None else x + rounded(partial[0])
    total = rounded(partial[0]) + rounded(partial[1])
    for value in (*(rounded(further) for further in partial[2:]), *(() if x is None else (x,))):
        np.add(value, total, out=total)
    return total


def _as_f16(value: F32) -> F32:
    with np.errstate(over="ignore"):
        return value.astype(np.float16).astype(np.float32)


def _as_bf16(value: F32) -> F32:
    return BF16.to_float(BF16.from_float(value))


_CROSSINGS: dict[str, Callable[[Op, Sequence[F32]], F32]] = {"copy": _copy, "gather": _gather, "reduce": _reduce}
_ON_THE_WIRE: dict[str, Callable[[F32], F32]] = {"f32": lambda value: value, "f16": _as_f16, "bf16": _as_bf16}
