"""What a failed command says and how it exits.

The first that applies: 2 usage or config, 130 interrupted, 1 regression, 3 some case failed, 4 cannot tell, 0 fine.
"""

import os
import traceback
from collections.abc import Iterable

from harness.errors import EXPECTED, ConfigError, ModelNotFound, ResultError

OK, REGRESSION, USAGE, FAILED, CANNOT_TELL, INTERRUPTED = 0, 1, 2, 3, 4, 130
PRECEDENCE = (USAGE, INTERRUPTED, REGRESSION, FAILED, CANNOT_TELL)


def first_that_applies(codes: Iterable[int]) -> int:
    """The exit code of a command that met all of `codes`."""
    met = set(codes)
    return next((code for code in PRECEDENCE if code in met), OK)


def exit_code(error: Exception) -> int | None:
    """The exit code for `error`; None for exceptions that are the command line's own."""
    if type(error).__module__.partition(".")[0] in {"click", "typer"}:
        return None
    return USAGE if isinstance(error, (ConfigError, ModelNotFound, ResultError)) else FAILED


def explain(error: Exception) -> str:
    """The message for a person; a traceback only for whoever asks for it with HARNESS_TRACEBACK=1."""
    if os.environ.get("HARNESS_TRACEBACK"):
        return "".join(traceback.format_exception(error))
    if isinstance(error, EXPECTED):
        return str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(frame.filename)}:{frame.lineno}"  # noqa: PTH119  a name, not a file
    said = f"{type(error).__name__}: {error}"
    return f"a mistake in harness itself ({place}): {said}\nHARNESS_TRACEBACK=1 shows all of it; please report it"
