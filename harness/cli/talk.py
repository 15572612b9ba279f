"""Talk goes to standard error, so that standard output can be piped. Colour and motion only where a person watches."""

import os
import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from harness.records.case import Note

if TYPE_CHECKING:
    from rich.console import Console


@cache
def talk() -> "Console":
    """The console on standard error; respects NO_COLOR, TERM=dumb and a stream that is no terminal."""
    from rich.console import Console  # noqa: PLC0415  `--help` need not pay for it

    return Console(stderr=True, highlight=False, soft_wrap=True)


def someone_watches() -> bool:
    """Whether lines may be redrawn: a terminal, and not a build server's."""
    return sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def say(text: str) -> None:
    """One line of talk, printed as it is."""
    talk().print(text, markup=False)


def say_notes(notes: Iterable[Note]) -> None:
    for note in notes:
        say(f"{note.where}: {note.text}")


def put(text: str) -> None:
    """Data, to standard output."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()
