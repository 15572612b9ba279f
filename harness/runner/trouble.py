"""What stands against a model's file, looked at from outside: before a worker opens it, and when one died of it."""

from pathlib import Path

from harness.core.errors import CoreError
from harness.core.gguf.probe import probe


def header_trouble(path: str) -> CoreError | None:
    """What stands against the file's header; an engine says itself that there is no file."""
    if not Path(path).is_file():
        return None
    try:
        probe(path)
    except CoreError as error:
        return error
    return None
