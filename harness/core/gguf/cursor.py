"""Walks a header. `_need` alone compares lengths with the bytes that are left, and nothing advances without it."""

import struct
from array import array

from harness.core.errors import GgufError
from harness.core.gguf import limits
from harness.core.gguf.shard import Shard
from harness.core.gguf.text import BEYOND, DAMAGED

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_READ_AHEAD = 1 << 20


class Cursor:
    """A position in the header of `shard`. Bytes are fetched as they are needed and dropped once they are taken."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.position = 0
        self._window = bytearray()
        self._window_start = 0

    @property
    def remaining(self) -> int:
        return self.shard.size_bytes - self.position

    def fail(self, problem: str, cause: str = DAMAGED) -> GgufError:
        return self.shard.fail(problem, cause)

    def take(self, n_bytes: int, what: str) -> bytes:
        """The next `n_bytes` bytes. Errors: GgufError if fewer are left; `what` names them in its message."""
        start = self.position
        self._need(start, n_bytes, what)
        self.position = start + n_bytes
        return bytes(self._window[start - self._window_start : self.position - self._window_start])

    def u32(self, what: str) -> int:
        return int(_U32.unpack(self.take(4, what))[0])

    def u64(self, what: str) -> int:
        return int(_U64.unpack(self.take(8, what))[0])

    def text(self, limit: int, what: str) -> str:
        """A length-prefixed string of at most `limit` bytes; bad UTF-8 becomes replacement characters."""
        n_bytes = self.u64(f"the length of {what}")
        if n_bytes > self.remaining:
            raise self.fail(f"{what} claims {n_bytes} bytes, but only {self.remaining} are left")
        if n_bytes > limit:
            raise self.fail(f"{what} has {n_bytes} bytes, more than the {limit} allowed", BEYOND)
        return self.take(n_bytes, what).decode("utf-8", errors="replace")

    def count(self, n_items: int, limit: int, min_item_bytes: int, what: str) -> int:
        """`n_items`, once it is proven to fit into what is left of the file. Errors: GgufError."""
        if n_items > limit:
            raise self.fail(f"{what}: the file claims {n_items}, more than the {limit} allowed", BEYOND)
        if n_items > self.remaining // min_item_bytes:
            raise self.fail(f"{what}: the file claims {n_items}, but only {self.remaining} bytes are left")
        return n_items

    def text_spans(self, n_items: int, what: str) -> "tuple[bytes, array[int], array[int]]":
        """`n_items` strings undecoded: the bytes that hold them, where each starts in those, and how long each is."""
        origin = position = self.position
        starts, lengths = array("q"), array("q")
        self._need(position, 0, what)
        window, window_start, unpack, size = self._window, self._window_start, _U64.unpack_from, self.shard.size_bytes
        for index in range(n_items):
            if position + 8 > window_start + len(window):
                self._need(position, 8, f"string {index} of {what}")
            (n_bytes,) = unpack(window, position - window_start)
            position += 8
            if n_bytes > size - position or n_bytes > limits.MAX_STRING_BYTES:
                raise self.fail(f"string {index} of {what} claims {n_bytes} bytes, but {size - position} are left")
            starts.append(position - origin)
            lengths.append(n_bytes)
            position += n_bytes
        return self.take(position - origin, what), starts, lengths

    def _need(self, start: int, n_bytes: int, what: str) -> None:
        end = start + n_bytes
        if end > self.shard.size_bytes:
            left = max(0, self.shard.size_bytes - start)
            raise self.fail(f"ends within {what}: {n_bytes} bytes expected, {left} left")
        if end > limits.MAX_HEADER_BYTES:
            raise self.fail(f"the header goes on for more than {limits.MAX_HEADER_BYTES} bytes, in {what}", BEYOND)
        self._forget()
        while (loaded := self._window_start + len(self._window)) < end:
            ahead = min(max(end - loaded, _READ_AHEAD), limits.MAX_HEADER_BYTES)
            self._window += self.shard.read_some(loaded, ahead)

    def _forget(self) -> None:
        """Drop what was taken, in large pieces, and nothing while strings after `position` are being measured."""
        taken = self.position - self._window_start
        if taken >= _READ_AHEAD:
            del self._window[:taken]
            self._window_start = self.position
