"""Device memory for what flows between operations and inside them.

Everything is allocated while a context is made, at the largest sizes it will meet; running and capturing allocate
nothing. Values whose lives do not overlap share memory.
"""

from collections.abc import Collection, Mapping
from copy import copy

from harness.core.cuda.api import Address, Buffer, Device
from harness.core.program.op import Program


class Rooms:
    """Named scratch memory, and a place for every value of a program."""

    def __init__(self, device: Device, program: Program, ubatch: int, narrowed: Collection[str] = ()) -> None:
        self._device = device
        self._scratch: dict[str, Buffer] = {}
        self._columns = {value.name: value.columns for value in program.values if value.kind in ("f32", "act")}
        self._ubatch = ubatch
        self._values = self._place(program, narrowed)
        self.offsets: Mapping[str, int] = {}

    def value(self, name: str) -> Address:
        """Where a float32 value [T, columns] lies, or its codes and scales; a norm may have both, codes behind."""
        return Address(self._values[name], self.offsets.get(name, 0))

    def narrow(self, name: str) -> Address:
        """Where one of the values `narrowed` lies in two bytes a number: behind its floats."""
        return Address(self._values[name], self._columns[name] * self._ubatch * 4)

    def starting_at(self, first_rows: Mapping[str, int]) -> "Rooms":
        """The same memory, where these values are seen from a later row on."""
        view = copy(self)
        view.offsets = {name: row * self._columns[name] * 4 for name, row in first_rows.items()}
        return view

    @property
    def buffers(self) -> Mapping[str, int]:
        """Values by name; those with one number share memory."""
        numbers: dict[int, int] = {}
        return {name: numbers.setdefault(id(buffer), len(numbers)) for name, buffer in self._values.items()}

    def scratch(self, name: str, n_bytes: int) -> Address:
        """The scratch memory `name`, at least `n_bytes` large. It grows only while a context is made."""
        held = self._scratch.get(name)
        if held is None or held.n_bytes < n_bytes:
            self._scratch[name] = self._device.allocate(n_bytes, f"workspace {name}")
        return Address(self._scratch[name])

    def _place(self, program: Program, narrowed: Collection[str]) -> Mapping[str, Buffer]:
        last_use = {name: index for index, op in enumerate(program.ops) for name in (*op.outputs, *op.inputs)}
        free: list[Buffer] = []
        placed: dict[str, Buffer] = {}
        for index, op in enumerate(program.ops):
            for name in op.outputs:
                if name in self._columns and name not in placed:
                    n = self._columns[name] * self._ubatch
                    behind = (n + n // 8 if op.name == "rms_norm" else 0) + (2 * n if name in narrowed else 0)
                    placed[name] = _take(free, self._device, n * 4 + behind)
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
