"""Rows of tensors read from their file again while a session runs: the file's pages stay in the page cache.

Reads are by position, so that a file which shrinks is an error and not a bus fault.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import LoadError
from harness.core.gguf import GgufFile
from harness.core.loader.chunks import RowFinder
from harness.core.loader.readers import BufferSizes, Reader
from harness.core.plan.lending import CHUNK_BYTES
from harness.core.plan.types import Plan, StoredTensor


class FileRows:
    """See `harness.core.backend.Rows`. The reader's file must stay open."""

    def __init__(self, tensor: StoredTensor, reader: Reader) -> None:
        self._name = tensor.name
        self._finder = RowFinder(tensor)
        self._reader = reader

    def __call__(self, first_row: int, n_rows: int) -> NDArray[np.uint8]:
        chunk = self._finder.chunk(first_row, n_rows)
        rows = self._reader.room_for(chunk)
        try:
            self._reader.fill(chunk, rows)
        except OSError as error:
            raise LoadError(f"{self._name} could not be read again: {error.strerror or error}") from error
        return rows


def borrowed_rows(plan: Plan, file: GgufFile) -> Iterator[tuple[StoredTensor, FileRows]]:
    """What devices borrow and where from; each has a buffer of its own, as each has a thread."""
    row_bytes = max((tensor.row_bytes for tensor in plan.borrowed), default=0)
    sizes = BufferSizes(max(CHUNK_BYTES, row_bytes))
    readers = {device: Reader(file, sizes) for device in {tensor.device for tensor in plan.borrowed}}
    for tensor in plan.borrowed:
        yield tensor, FileRows(tensor, readers[tensor.device])
