"""Collects operations, values and KV slots while a program is written. A value's name is unique and tells its op."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count

from harness.core.plan.groups import Group
from harness.core.plan.types import Plan
from harness.core.program.op import ANY_SIZE, KvSlot, Op, Param, Sizes, Value, ValueKind


class Tape:
    """The program so far; `layer` is the block that ops are written for, -1 outside of all."""

    def __init__(self, plan: Plan) -> None:
        self.ops: list[Op] = []
        self.values: list[Value] = []
        self.kv_slots: list[KvSlot] = []
        self.layer = -1
        self._sizes = ANY_SIZE
        self._plan = plan
        self._numbers = count()
        self._by_name: dict[str, Value] = {}

    def emit(
        self,
        name: str,
        device: str,
        inputs: tuple[str, ...],
        columns: int,
        weights: Mapping[str, str] | None = None,
        params: Mapping[str, Param] | None = None,
        *,
        kind: ValueKind = "f32",
        layer: int | None = None,
    ) -> str:
        """One more operation; returns its output's name. It belongs to the layer at hand unless `layer` is given."""
        output = f"{name}.{next(self._numbers)}"
        self._by_name[output] = value = Value(output, kind, columns, device)
        self.values.append(value)
        at = self.layer if layer is None else layer
        self.ops.append(Op(name, device, inputs, (output,), weights or {}, params or {}, at, self._sizes))
        return output

    @contextmanager
    def only(self, sizes: Sizes) -> Iterator[None]:
        """What is emitted inside is for ubatches of these sizes alone."""
        self._sizes = sizes
        yield
        self._sizes = ANY_SIZE

    def either(self, device: str, sources: Mapping[str, Sizes]) -> str:
        """One value of `device`, a copy of whichever of `sources` there is in ubatches of its sizes."""
        first, *_ = sources
        output = f"copy.{next(self._numbers)}"
        self._by_name[output] = value = Value(output, self.value(first).kind, self.value(first).columns, device)
        self.values.append(value)
        for name, sizes in sources.items():
            params: dict[str, Param] = {"source": self.value(name).device}
            self.ops.append(Op("copy", device, (name,), (output,), {}, params, self.layer, sizes))
        return output

    def value(self, name: str) -> Value:
        """A value that was emitted."""
        return self._by_name[name]

    def add_slot(self, slot: KvSlot) -> int:
        """One more layer's keys and values; returns its number."""
        self.kv_slots.append(slot)
        return len(self.kv_slots) - 1

    def weights(self, groups: tuple[Group, ...], device: str) -> dict[str, str]:
        """Role to tensor name, of those tensors that the device holds."""
        return {group.role: group.name for group in groups if self._plan.holds(group.name, device)}
