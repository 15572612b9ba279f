"""One open file of a model. Its size is taken once, from the descriptor; every later read proves it still holds."""

import contextlib
import mmap
import os
import stat
import weakref
from pathlib import Path

from harness.core.errors import GgufError
from harness.core.gguf.text import DAMAGED, printable


class Shard:
    """A regular file read by position, so that a file which shrinks is an error and not a bus fault."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.label = printable(str(path), 200)
        self._descriptor = _open_regular(path, self.label)
        self._close = weakref.finalize(self, os.close, self._descriptor)
        self.size_bytes = os.fstat(self._descriptor).st_size

    def read_some(self, offset: int, n_bytes: int) -> bytes:
        """Between 1 and `n_bytes` bytes at `offset`; the range must lie inside the file. Errors: GgufError."""
        chunk = os.pread(self._descriptor, n_bytes, offset)
        if not chunk:
            raise self._changed()
        return chunk

    def read_into(self, offset: int, out: memoryview) -> None:
        """Fill `out` (contiguous bytes) from `offset` on. Thread-safe. Errors: GgufError when the file has changed."""
        if os.fstat(self._descriptor).st_size != self.size_bytes:
            raise self._changed()
        filled = 0
        while filled < len(out):
            n_bytes = os.preadv(self._descriptor, [out[filled:]], offset + filled)
            if n_bytes == 0:
                raise self._changed()
            filled += n_bytes

    def ask(self, offset: int, n_bytes: int) -> None:
        """Have the system fetch these bytes while others are used. Advice only: nothing is said if it cannot."""
        if hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._descriptor, offset, n_bytes, os.POSIX_FADV_WILLNEED)

    def map(self) -> mmap.mmap:
        """The whole file mapped read-only. A file that shrinks later is a bus fault to whoever reads the mapping."""
        if os.fstat(self._descriptor).st_size != self.size_bytes:
            raise self._changed()
        return mmap.mmap(self._descriptor, self.size_bytes, access=mmap.ACCESS_READ)

    def close(self) -> None:
        self._close()

    def fail(self, problem: str, cause: str = DAMAGED) -> GgufError:
        return GgufError(f"{self.label}: {problem}. {cause}")

    def _changed(self) -> GgufError:
        return self.fail("the file changed while it was read", "Something else writes to it; wait for that and retry.")


def _open_regular(path: Path, label: str) -> int:
    """O_NONBLOCK, because opening a pipe without it waits for a writer that never comes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise GgufError(f"{label}: cannot be opened: {reason}. Check the path and its permissions.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise GgufError(f"{label}: is not a regular file. Give the path of a .gguf file.")
    return descriptor
