"""Streams weights from the file to a backend: several readers, one bounded buffer each, every byte once.

A merge is only another destination, so it costs nothing here. Rows that need no re-laying are read where they stay.
The first error stops all readers and is raised.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from threading import Lock
from typing import cast

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import Backend, Borrows, HoldsRows
from harness.core.errors import GgufError, LoadError
from harness.core.gguf import GgufFile
from harness.core.loader.chunks import CHUNK_BYTES, Chunk, Fragment, cut
from harness.core.loader.host_memory import require_room
from harness.core.loader.readers import BufferSizes, Reader, n_readers
from harness.core.loader.rereading import borrowed_rows
from harness.core.plan.types import Plan, StoredTensor

PAGE_BYTES = 4096
ASKED_AT_ONCE = 16
"""Chunks that the system is to fetch while as many before them are placed, so that no disk waits for a processor."""


@dataclass
class Times:
    """Nanoseconds one thread spent reading and placing."""

    read_ns: int = 0
    place_ns: int = 0


def load_weights(plan: Plan, file: GgufFile, backend: Backend, chunk_bytes: int = CHUNK_BYTES) -> dict[str, int]:
    """Place or map every tensor of the plan; returns nanoseconds by phase, "read" and "place".

    What is borrowed is read from `file` while sessions run, which must then stay open.
    Readers work side by side, so the time on the clock is shared out in proportion to what the threads spent on each.
    Errors: LoadError naming file, tensor and bytes; OutOfMemoryError from the backend.
    """
    started = time.perf_counter_ns()
    mapped = [tensor for tensor in plan.tensors if tensor.layout == "mapped"]
    copied = [tensor for tensor in plan.tensors if tensor.layout != "mapped"]
    times = [_map_all(mapped, file, backend), *_stream_all(plan, copied, file, backend, chunk_bytes)]
    for tensor, rows in borrowed_rows(plan, file):
        cast("Borrows", backend).borrow(tensor, rows)  # the plan lends to GPUs alone
    elapsed = time.perf_counter_ns() - started
    read_ns, place_ns = sum(part.read_ns for part in times), sum(part.place_ns for part in times)
    read_share = elapsed * read_ns // max(1, read_ns + place_ns)
    return {"read": read_share, "place": elapsed - read_share}


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


def _stream_all(
    plan: Plan, tensors: list[StoredTensor], file: GgufFile, backend: Backend, chunk_bytes: int
) -> list[Times]:
    chunks = sorted((chunk for tensor in tensors for chunk in cut(tensor, chunk_bytes)), key=_file_position)
    sizes = reduce(BufferSizes.with_room_for, chunks, BufferSizes())
    require_room(plan, n_readers() * sizes.total_bytes)
    for tensor in tensors:
        backend.allocate(tensor)
    if not chunks:
        return []
    queue = _Queue(chunks, file)
    with ThreadPoolExecutor(n_readers()) as pool:
        readers = [pool.submit(_read_and_place, queue, Reader(file, sizes), backend, file) for _ in range(n_readers())]
        return [reader.result() for reader in readers]


def _file_position(chunk: Chunk) -> tuple[int, int]:
    """Chunks are read as they come in the file, whatever is merged with what: a disk likes it best."""
    return chunk.fragments[0].shard, chunk.fragments[0].file_offset


def _read_and_place(queue: "_Queue", reader: Reader, backend: Backend, file: GgufFile) -> Times:
    """What one reader does until the queue is empty."""
    times = Times()
    for chunk in queue:
        try:
            started = time.perf_counter_ns()
            stay = _where_they_stay(chunk, backend)
            rows = reader.room_for(chunk) if stay is None else stay
            reader.fill(chunk, rows)
            read = time.perf_counter_ns()
            if stay is None:
                backend.place(chunk.tensor, chunk.first_row, rows)
        except (GgufError, OSError) as error:
            queue.stop()
            raise _load_error(chunk, file, error) from error
        except BaseException:
            queue.stop()
            raise
        times.read_ns += read - started
        times.place_ns += time.perf_counter_ns() - read
    return times


def _where_they_stay(chunk: Chunk, backend: Backend) -> NDArray[np.uint8] | None:
    """The chunk's rows in their tensor's own memory, if the backend holds them as the file does."""
    held = backend.rows_in_place(chunk.tensor) if isinstance(backend, HoldsRows) else None
    return None if held is None else held[chunk.first_row : chunk.first_row + chunk.n_rows]


def _load_error(chunk: Chunk, file: GgufFile, error: Exception) -> LoadError:
    """GgufErrors name their file; those of the system do not."""
    rows = f"rows {chunk.first_row} to {chunk.first_row + chunk.n_rows - 1}"
    where = f"{file.shards[chunk.fragments[0].shard]}: " if isinstance(error, OSError) else ""
    why = error.strerror if isinstance(error, OSError) and error.strerror else error
    return LoadError(f"{chunk.tensor.name}, {rows} ({chunk.n_bytes:,} bytes), could not be read: {where}{why}")


class _Queue:
    """Chunks handed to whoever asks, until they are used up or somebody stopped; bytes of later ones are asked for."""

    def __init__(self, chunks: Sequence[Chunk], file: GgufFile) -> None:
        self._chunks = iter(chunks)
        self._later = iter(chunks)
        self._file = file
        self._lock = Lock()
        self._stopped = False
        self._handed_out = 0
        self._ask()

    def stop(self) -> None:
        self._stopped = True

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        with self._lock:
            if self._stopped:
                raise StopIteration
            if self._handed_out % ASKED_AT_ONCE == 0:
                self._ask()
            self._handed_out += 1
            return next(self._chunks)

    def _ask(self) -> None:
        """What adjoins is asked for as one, so that a disk's requests are large wherever chunks end."""
        parts = [part for chunk in islice(self._later, ASKED_AT_ONCE) for part in chunk.fragments]
        for shard, begin, end in adjoined(parts):
            self._file.ask(shard, begin, end - begin)


def adjoined(parts: Iterable[Fragment]) -> list[tuple[int, int, int]]:
    """The shard, first byte and end of the stretches of file that `parts` make up together, as they come in it."""
    spans = sorted((part.shard, part.file_offset, part.file_offset + part.span_bytes) for part in parts)
    found: list[tuple[int, int, int]] = []
    for shard, begin, end in spans:
        if found and found[-1][0] == shard and begin <= found[-1][2]:
            found[-1] = (shard, found[-1][1], max(end, found[-1][2]))
        else:
            found.append((shard, begin, end))
    return found
