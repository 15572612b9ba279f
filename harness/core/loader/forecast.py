"""What loading a plan would take, from the plan alone: bytes for each device, bytes read, buffers, time.

It cuts the plan as the loader does and reads nothing, so it holds for models larger than any disk at hand.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from harness.core.loader.chunks import CHUNK_BYTES, cut
from harness.core.loader.readers import BufferSizes, n_readers
from harness.core.plan.layout import held_bytes
from harness.core.plan.types import Plan


@dataclass(frozen=True)
class Forecast:
    """`read_bytes` counts what is read of the file, `placed_bytes` what devices hold; `buffer_bytes` is the host's."""

    placed_bytes: Mapping[str, int]
    read_bytes: int
    n_chunks: int
    n_readers: int
    buffer_bytes: int

    def seconds(self, read_bytes_per_s: float) -> float:
        """The time to read at that rate; placing goes on beside it."""
        return self.read_bytes / read_bytes_per_s


def forecast(plan: Plan, chunk_bytes: int = CHUNK_BYTES) -> Forecast:
    """Mapped tensors are read too, page by page, but need no buffer."""
    placed: Counter[str] = Counter()
    n_chunks = read_bytes = 0
    sizes = BufferSizes()
    for tensor in plan.tensors:
        placed[tensor.device] += held_bytes(tensor)
        if tensor.layout == "mapped":
            read_bytes += tensor.n_bytes
            continue
        for chunk in cut(tensor, chunk_bytes):
            n_chunks += 1
            read_bytes += sum(part.span_bytes for part in chunk.fragments)
            sizes = sizes.with_room_for(chunk)
    n = n_readers() if n_chunks else 0
    return Forecast(dict(placed), read_bytes, n_chunks, n, n * sizes.total_bytes)
