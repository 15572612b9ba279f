"""Which values may share memory: a buffer is taken by a value from the op that makes it to the last op that reads it.

An op's outputs never lie where its inputs do. A value that no op makes has a buffer of its own throughout.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.program.op import Op, Value

IN_BUFFERS = ("f32", "act")


@dataclass(frozen=True)
class Buffers:
    """`columns` is the size of each buffer in floats per token; `of` says which one a value lies in."""

    columns: tuple[int, ...]
    of: dict[str, int]


def assign_buffers(ops: Sequence[Op], values: Sequence[Value]) -> Buffers:
    """Buffers for values of float kinds; a free one is taken where one is wide enough."""
    columns_of = {value.name: value.columns for value in values if value.kind in IN_BUFFERS}
    last_use = {name: index for index, op in enumerate(ops) for name in (*op.outputs, *op.inputs)}
    made = {name for op in ops for name in op.outputs}
    given = [name for op in ops for name in op.inputs if name in columns_of and name not in made]
    of = {name: index for index, name in enumerate(dict.fromkeys(given))}
    columns = [columns_of[name] for name in of]
    free: list[int] = []
    for index, op in enumerate(ops):
        for name in op.outputs:
            if name in columns_of and name not in of:
                of[name] = _take(columns_of[name], free, columns)
        ending = {name for name in (*op.inputs, *op.outputs) if name in of and name in made and last_use[name] == index}
        free.extend(sorted({of[name] for name in ending}))
    return Buffers(tuple(columns), of)


def _take(needed: int, free: list[int], columns: list[int]) -> int:
    """The narrowest free buffer that is wide enough, or a new one."""
    fitting = [buffer for buffer in free if columns[buffer] >= needed]
    if not fitting:
        columns.append(needed)
        return len(columns) - 1
    chosen = min(fitting, key=lambda buffer: columns[buffer])
    free.remove(chosen)
    return chosen
