"""How many readers a load has, and what each of them needs: room for one chunk, bounded whatever the model's size."""

import os
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from harness.core.gguf import GgufFile
from harness.core.loader.chunks import Chunk, Fragment

MAX_READERS = 4


def n_readers() -> int:
    """Readers to use: as many as cores, at least two, so that one can wait for the disk while another places."""
    return max(2, min(MAX_READERS, len(os.sched_getaffinity(0))))


@dataclass(frozen=True)
class BufferSizes:
    """Bytes for a chunk, and for rows of the file of which only some columns are taken."""

    chunk_bytes: int = 0
    scratch_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Of one reader."""
        return self.chunk_bytes + self.scratch_bytes

    def with_room_for(self, chunk: Chunk) -> "BufferSizes":
        """These sizes, or larger ones if the chunk needs them."""
        spans = (part.span_bytes for part in chunk.fragments if part.n_runs > 1)
        return BufferSizes(max(self.chunk_bytes, chunk.n_bytes), max((self.scratch_bytes, *spans)))


class Reader:
    """One thread's buffers."""

    def __init__(self, file: GgufFile, sizes: BufferSizes) -> None:
        self._file = file
        self._buffer = np.empty(sizes.chunk_bytes, np.uint8)
        self._scratch = np.empty(sizes.scratch_bytes, np.uint8)

    def room_for(self, chunk: Chunk) -> NDArray[np.uint8]:
        """A place for the chunk's rows [n_rows, row_bytes], the same for every chunk."""
        return self._buffer[: chunk.n_bytes].reshape(chunk.n_rows, chunk.tensor.row_bytes)

    def fill(self, chunk: Chunk, rows: NDArray[np.uint8]) -> None:
        """Read the chunk into `rows`, contiguous [n_rows, row_bytes]. Errors: GgufError, OSError."""
        flat = rows.reshape(-1)
        for part in chunk.fragments:
            self._fill(part, flat[part.chunk_offset : part.chunk_offset + part.n_bytes])

    def _fill(self, part: Fragment, out: NDArray[np.uint8]) -> None:
        if part.n_runs == 1:
            self._file.read_into(part.shard, part.file_offset, out)
            return
        span = self._scratch[: part.span_bytes]
        self._file.read_into(part.shard, part.file_offset, span)
        runs = out.reshape(part.n_runs, -1)
        np.copyto(runs, as_strided(span, runs.shape, (part.stride, 1)))
