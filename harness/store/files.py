"""The only door to the disk for what a run must not lose: a file is its old self or whole and durable, never half.

A test puts faults into `Disk`'s calls; everything that writes results takes a `Disk`.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import RunError

TEMPORARY = ".tmp"


@dataclass(frozen=True)
class Disk:
    """The system calls a durable write is made of, in their order."""

    open: Callable[[str, int, int], int] = os.open
    write: Callable[[int, memoryview], int] = os.write
    fsync: Callable[[int], None] = os.fsync
    replace: Callable[[str, str], None] = os.replace

    def write_file(self, path: Path, data: bytes) -> None:
        """Make `path` hold `data`: temporary file, fsync, rename, fsync of the folder. Errors: RunError."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
        try:
            self._write_new(temporary, data)
            self.replace(str(temporary), str(path))
            self.sync_folder(path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise RunError(_explain(path, len(data), error)) from error

    def sync_folder(self, folder: Path) -> None:
        """Make the names in `folder` durable."""
        descriptor = self.open(str(folder), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, 0)
        try:
            self.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _write_new(self, path: Path, data: bytes) -> None:
        descriptor = self.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            left = memoryview(data)
            while left:
                left = left[self.write(descriptor, left) :]
            self.fsync(descriptor)
        finally:
            os.close(descriptor)


DISK = Disk()


@contextlib.contextmanager
def locked(path: Path, busy: str, *, wait: bool = False) -> Iterator[None]:
    """Hold the exclusive lock of `path` (made if absent). The kernel frees it when the holder dies.

    Errors: RunError with the text `busy` if somebody else holds it and `wait` is off.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise RunError(busy) from error
        yield
    finally:
        os.close(descriptor)


def sweep_temporaries(folder: Path) -> None:
    """Remove what a killed writer left. Only the holder of the folder's lock may call this."""
    for left in folder.glob(f".*{TEMPORARY}"):
        left.unlink(missing_ok=True)


def _explain(path: Path, n_bytes: int, error: OSError) -> str:
    return (
        f"{path}: cannot be written ({error.strerror or error}; {n_bytes} bytes needed). "
        "The disk is probably full or read-only; what was reported as done is safe. "
        "Make room and go on with --resume."
    )
