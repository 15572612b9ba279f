"""A vocabulary as it stands in the file: strings are decoded when they are asked for, since few callers ask for all."""

from array import array
from collections.abc import Sequence
from typing import overload


class StringArray(Sequence[str]):
    """An immutable sequence of str over undecoded bytes."""

    def __init__(self, data: bytes, starts: "array[int]", lengths: "array[int]") -> None:
        self._data, self._starts, self._lengths = data, starts, lengths

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        start = self._starts[index]
        return self._data[start : start + self._lengths[index]].decode("utf-8", errors="replace")

    def __repr__(self) -> str:
        return f"<{len(self)} strings>"
