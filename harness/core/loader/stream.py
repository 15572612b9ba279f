"""Streams weights from the file to a backend: several readers, one bounded buffer each, every byte once.

A merge is only another destination, so it costs nothing here. The first error stops all readers and is raised.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from harness.core.backend import Backend
from harness.core.errors import GgufError, LoadError
from harness.core.gguf import GgufFile
from harness.core.loader.chunks import CHUNK_BYTES, Chunk, Fragment, cut
from harness.core.plan.types import Plan, StoredTensor

PAGE_BYTES = 4096
MAX_READERS = 4


@dataclass
class Times:
    """Nanoseconds one thread spent reading and placing."""

    read_ns: int = 0
    place_ns: int = 0


def load_weights(plan: Plan, file: GgufFile, backend: Backend, chunk_bytes: int = CHUNK_BYTES) -> dict[str, int]:
    """Place or map every tensor of the plan; returns nanoseconds by phase, "read" and "place".

    Readers work side by side, so the time on the clock is shared out in proportion to what the threads spent on each.
    Errors: LoadError naming file, tensor and bytes; OutOfMemoryError from the backend.
    """
    started = time.perf_counter_ns()
    mapped = [tensor for tensor in plan.tensors if tensor.layout == "mapped"]
    copied = [tensor for tensor in plan.tensors if tensor.layout != "mapped"]
    times = [_map_all(mapped, file, backend), *_stream_all(copied, file, backend, chunk_bytes)]
    elapsed = time.perf_counter_ns() - started
    read_ns, place_ns = sum(part.read_ns for part in times), sum(part.place_ns for part in times)
    read_share = elapsed * read_ns // max(1, read_ns + place_ns)
    return {"read": read_share, "place": elapsed - read_share}


def n_readers() -> int:
    """Readers to use: as many as cores, at least two, so that one can wait for the disk while another places."""
    return max(2, min(MAX_READERS, len(os.sched_getaffinity(0))))


def _map_all(tensors: list[StoredTensor], file: GgufFile, backend: Backend) -> Times:
    times = Times()
    mappings = {shard: file.map(shard) for shard in {tensor.pieces[0].shard for tensor in tensors}}
    for tensor in tensors:
        (piece,) = tensor.pieces
        started = time.perf_counter_ns()
        data = mappings[piece.shard][piece.file_offset : piece.file_offset + piece.n_bytes]
        data[::PAGE_BYTES].max()  # touches every page, so that the load pays for it and not the first token
        read = time.perf_counter_ns()
        backend.map(tensor, data)
        times.read_ns += read - started
        times.place_ns += time.perf_counter_ns() - read
    return times


def _stream_all(tensors: list[StoredTensor], file: GgufFile, backend: Backend, chunk_bytes: int) -> list[Times]:
    for tensor in tensors:
        backend.allocate(tensor)
    chunks = sorted((chunk for tensor in tensors for chunk in cut(tensor, chunk_bytes)), key=_file_position)
    if not chunks:
        return []
    queue = _Queue(chunks)
    sizes = _BufferSizes.of(chunks)
    with ThreadPoolExecutor(n_readers()) as pool:
        readers = [pool.submit(_read_and_place, queue, file, backend, sizes) for _ in range(n_readers())]
        return [reader.result() for reader in readers]


def _file_position(chunk: Chunk) -> tuple[int, int]:
    return chunk.fragments[0].shard, chunk.fragments[0].file_offset


@dataclass(frozen=True)
class _BufferSizes:
    """What a reader needs: room for a chunk, and for rows of the file whose other columns are left out."""

    chunk_bytes: int
    scratch_bytes: int

    @classmethod
    def of(cls, chunks: Sequence[Chunk]) -> "_BufferSizes":
        spans = (part.span_bytes for chunk in chunks for part in chunk.fragments if part.n_runs > 1)
        return cls(max(chunk.n_bytes for chunk in chunks), max(spans, default=0))


def _read(part: Fragment, file: GgufFile, out: NDArray[np.uint8], scratch: NDArray[np.uint8]) -> None:
    if part.n_runs == 1:
        file.read_into(part.shard, part.file_offset, out)
        return
    span = scratch[: part.span_bytes]
    file.read_into(part.shard, part.file_offset, span)
    runs = out.reshape(part.n_runs, -1)
    np.copyto(runs, as_strided(span, runs.shape, (part.stride, 1)))


def _read_and_place(queue: "_Queue", file: GgufFile, backend: Backend, sizes: _BufferSizes) -> Times:
    """What one reader does until the queue is empty."""
    buffer, scratch = np.empty(sizes.chunk_bytes, np.uint8), np.empty(sizes.scratch_bytes, np.uint8)
    times = Times()
    for chunk in queue:
        try:
            started = time.perf_counter_ns()
            for part in chunk.fragments:
                _read(part, file, buffer[part.chunk_offset : part.chunk_offset + part.n_bytes], scratch)
            read = time.perf_counter_ns()
            rows = buffer[: chunk.n_bytes].reshape(chunk.n_rows, chunk.tensor.row_bytes)
            backend.place(chunk.tensor, chunk.first_row, rows)
        except (GgufError, OSError) as error:
            queue.stop()
            raise _load_error(chunk, error) from error
        except BaseException:
            queue.stop()
            raise
        times.read_ns += read - started
        times.place_ns += time.perf_counter_ns() - read
    return times


def _load_error(chunk: Chunk, error: Exception) -> LoadError:
    rows = f"rows {chunk.first_row} to {chunk.first_row + chunk.n_rows - 1}"
    return LoadError(f"{chunk.tensor.name}, {rows} ({chunk.n_bytes:,} bytes), could not be read: {error}")


class _Queue:
    """Chunks handed to whoever asks, until they are used up or somebody stopped."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = iter(chunks)
        self._lock = Lock()
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        with self._lock:
            if self._stopped:
                raise StopIteration
            return next(self._chunks)
