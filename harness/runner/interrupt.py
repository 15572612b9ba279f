"""Ctrl-C, twice: the first asks to end well, the second to end now. Nothing is raised into the middle of a write."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Counts SIGINT and SIGTERM while `caught`; outside a program's main thread only `press` counts."""

    def __init__(self) -> None:
        self._presses = 0
        self._wake: Callable[[], None] | None = None

    @property
    def wanted(self) -> bool:
        """Somebody wants the run to end well."""
        return self._presses > 0

    @property
    def kill(self) -> bool:
        """Somebody wants the run to end now."""
        return self._presses > 1

    def press(self) -> None:
        """As one Ctrl-C."""
        self._presses += 1
        if self._wake is not None:
            self._wake()

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """While inside, a press calls `wake`, which must be safe in a signal handler."""
        self._wake = wake
        try:
            yield
        finally:
            self._wake = None

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """While inside, the signals are presses; afterwards they are what they were before."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = [(number, signal.signal(number, self._on_signal)) for number in SIGNALS]
        try:
            yield
        finally:
            for number, handler in before:
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.press()
