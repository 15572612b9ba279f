"""A value that several devices may need: it is brought to a device when an operation there asks for it, and once."""

from collections.abc import Callable, Mapping

from harness.core.program.op import Param
from harness.core.program.tape import Tape


class Stream:
    """The same numbers on any device; `make` brings them to a device that has not got them."""

    def __init__(self, made: Mapping[str, str], make: Callable[[str], str]) -> None:
        self._made = dict(made)
        self._make = make

    @classmethod
    def at_home(cls, tape: Tape, home: str, name: str) -> "Stream":
        """Value `name` of device `home`; others get copies."""
        return cls({home: name}, lambda device: copied(tape, name, device))

    @classmethod
    def reduced(cls, tape: Tape, partial: Mapping[str, str], x: "Stream", wire: str) -> "Stream":
        """The sum of partial sums, then x: made from them all by every device that has one; others get copies."""
        params: dict[str, Param] = {"wire": wire, "residual": True}
        layer = tape.layer

        def make(device: str) -> str:
            if device not in partial:
                return copied(tape, stream.at(next(iter(partial))), device)
            columns = tape.value(partial[device]).columns
            return tape.emit("reduce", device, (*partial.values(), x.at(device)), columns, params=params, layer=layer)

        stream = cls({}, make)
        return stream

    def at(self, device: str) -> str:
        """The value's name on `device`."""
        if device not in self._made:
            self._made[device] = self._make(device)
        return self._made[device]


def copied(tape: Tape, name: str, device: str) -> str:
    """Value `name` on another device."""
    value = tape.value(name)
    return tape.emit("copy", device, (name,), value.columns, params={"source": value.device}, kind=value.kind)
