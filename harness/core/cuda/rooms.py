"""Device memory for what flows between operations and inside them.

Everything is allocated while a context is made, at the largest sizes it will meet; running and capturing allocate
nothing. Values whose lives do not overlap share memory.
"""

from collections.abc import Mapping

from harness.core.cuda.api import Address, Buffer, Device
from harness.core.program.op import Program


class Rooms:
    """Named scratch memory, and a place for every value of a program."""

    def __init__(self, device: Device, program: Program, ubatch: int) -> None:
        self._device = device
        self._scratch: dict[str, Buffer] = {}
        self._values = _place_values(device, program, ubatch)

    def value(self, name: str) -> Address:
        """Where a float32 value [T, columns] lies, or its codes and scales; a norm may have both, codes behind."""
        return Address(self._values[name])

    def scratch(self, name: str, n_bytes: int) -> Address:
        """The scratch memory `name`, at least `n_bytes` large. It grows only while a context is made."""
        held = self._scratch.get(name)
        if held is None or held.n_bytes < n_bytes:
            self._scratch[name] = self._device.allocate(n_bytes, f"workspace {name}")
        return Address(self._scratch[name])


def _place_values(device: Device, program: Program, ubatch: int) -> Mapping[str, Buffer]:
    last_use = {name: index for index, op in enumerate(program.ops) for name in (*op.outputs, *op.inputs)}
    columns = {value.name: value.columns for value in program.values if value.kind in ("f32", "act")}
    free: list[Buffer] = []
    placed: dict[str, Buffer] = {}
    for index, op in enumerate(program.ops):
        for name in op.outputs:
            if name in columns and name not in placed:
                n = columns[name] * ubatch
                placed[name] = _take(free, device, n * 4 + (n + n // 8 if op.name == "rms_norm" else 0))
        free += [
            placed[name]
            for name in dict.fromkeys((*op.inputs, *op.outputs))
            if last_use[name] == index and name in placed
        ]
    return placed


def _take(free: list[Buffer], device: Device, n_bytes: int) -> Buffer:
    """The smallest free buffer that is large enough, or a new one."""
    fitting = [buffer for buffer in free if buffer.n_bytes >= n_bytes]
    if not fitting:
        return device.allocate(n_bytes, "workspace for values")
    chosen = min(fitting, key=lambda buffer: buffer.n_bytes)
    free.remove(chosen)
    return chosen
