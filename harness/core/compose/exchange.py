"""Values of one ubatch on their way from device to device. Whoever takes a value waits until it is there."""

from collections import Counter
from collections.abc import Mapping
from threading import Condition

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


class Stopped(Exception):  # noqa: N818  no error of its own: the device that failed raises one
    """Another device failed, so the value will never come."""


class Exchange:
    """A value is held until it was taken `uses` times; one that nobody takes is not held at all."""

    def __init__(self, uses: Mapping[str, int]) -> None:
        self._uses = Counter(uses)
        self._values: dict[str, F32] = {}
        self._arrived = Condition()
        self._stopped = False

    def put(self, name: str, value: F32) -> None:
        """Hand over a value; it must not change any more."""
        if not self._uses[name]:
            return
        with self._arrived:
            self._values[name] = value
            self._arrived.notify_all()

    def take(self, name: str) -> F32:
        """The value, once it is there. Errors: Stopped."""
        with self._arrived:
            while name not in self._values:
                if self._stopped:
                    raise Stopped
                self._arrived.wait()
            value = self._values[name]
            self._uses[name] -= 1
            if not self._uses[name]:
                del self._values[name]
            return value

    def stop(self) -> None:
        """Wake everybody who waits, for nothing more will come."""
        with self._arrived:
            self._stopped = True
            self._arrived.notify_all()
