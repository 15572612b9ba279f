"""Writes GGUF version 3 files from a stream of chunks: memory use does not depend on the model's size.

A file appears under its name only when it is complete.
"""

import os
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from harness.core.formats.table import Format
from harness.core.gguf.header import MAGIC
from harness.core.gguf.limits import DEFAULT_ALIGNMENT
from harness.core.gguf.metadata import ALIGNMENT_KEY, NUMERIC

_VERSION = 3
_STRING, _ARRAY, _BOOL = 8, 9, 7
_TYPE_IDS = {dtype: type_id for type_id, dtype in NUMERIC.items() if type_id != _BOOL} | {np.dtype(np.bool_): _BOOL}

Value = bool | int | float | str | np.generic | NDArray[Any] | Sequence[str]


@dataclass(frozen=True)
class TensorSource:
    """A tensor to be written: `chunks()` yields its bytes in order. `shape` is in NumPy order."""

    name: str
    format: Format
    shape: tuple[int, ...]
    chunks: Callable[[], Iterable[NDArray[np.uint8]]]

    @property
    def n_bytes(self) -> int:
        return prod(self.shape[:-1]) * self.format.row_bytes(self.shape[-1])


def write_gguf(out: Path, metadata: Mapping[str, Value], tensors: Sequence[TensorSource]) -> None:
    """Write a model to `out`.

    A plain int becomes uint32 (int32 if negative, 64 bits where it needs them), a float float32; NumPy scalars and
    arrays keep their type; a sequence of str becomes a string array. Errors: ValueError for a tensor whose chunks do
    not add up to its size; OSError.
    """
    alignment = int(metadata.get(ALIGNMENT_KEY, DEFAULT_ALIGNMENT))  # type: ignore[arg-type]
    with _appearing_whole(out) as file:
        file.write(_header(metadata, tensors, alignment))
        for tensor in tensors:
            file.write(bytes(-file.tell() % alignment))
            _write_tensor(file, tensor)
        file.write(bytes(-file.tell() % alignment))


def write_hollow(out: Path, metadata: Mapping[str, Value], tensors: Sequence[TensorSource]) -> None:
    """Write the header `write_gguf` would write and a hole where the weights would be, for whoever reads no weights."""
    alignment = int(metadata.get(ALIGNMENT_KEY, DEFAULT_ALIGNMENT))  # type: ignore[arg-type]
    with _appearing_whole(out) as file:
        size = file.write(_header(metadata, tensors, alignment))
        for tensor in tensors:
            size += -size % alignment + tensor.n_bytes
        file.truncate(size + -size % alignment)


def write_split(out: Path, metadata: Mapping[str, Value], tensors: Sequence[TensorSource], n_files: int) -> list[Path]:
    """Write a model as `n_files` files `<stem of out>-0000i-of-0000n.gguf`, metadata in the first."""
    paths = [out.with_name(f"{out.stem}-{i + 1:05d}-of-{n_files:05d}.gguf") for i in range(n_files)]
    for i, path in enumerate(paths):
        part = tensors[i * len(tensors) // n_files : (i + 1) * len(tensors) // n_files]
        split: dict[str, Value] = {
            "split.no": np.uint16(i),
            "split.count": np.uint16(n_files),
            "split.tensors.count": np.int32(len(tensors)),
        }
        write_gguf(path, {**metadata, **split} if i == 0 else split, part)
    return paths


@contextmanager
def _appearing_whole(out: Path) -> Iterator[BinaryIO]:
    descriptor, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        temporary.chmod(0o644)
        temporary.replace(out)
    except BaseException:
        temporary.unlink()
        raise


def _header(metadata: Mapping[str, Value], tensors: Sequence[TensorSource], alignment: int) -> bytes:
    parts = [MAGIC, struct.pack("<IQQ", _VERSION, len(tensors), len(metadata))]
    parts += [_text(key) + _encode(value) for key, value in metadata.items()]
    offset = 0
    for tensor in tensors:
        extents = tensor.shape[::-1]
        parts.append(_text(tensor.name) + struct.pack(f"<I{len(extents)}Q", len(extents), *extents))
        parts.append(struct.pack("<IQ", tensor.format.type_id, offset))
        offset += tensor.n_bytes + -tensor.n_bytes % alignment
    return b"".join(parts)


def _write_tensor(file: BinaryIO, tensor: TensorSource) -> None:
    written = 0
    for chunk in tensor.chunks():
        written += file.write(np.ascontiguousarray(chunk).data)
    if written != tensor.n_bytes:
        raise ValueError(f"{tensor.name}: {written} bytes were produced, but its shape needs {tensor.n_bytes}")


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _encode(value: Value) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _text(value)
    if isinstance(value, Sequence):
        return struct.pack("<IIQ", _ARRAY, _STRING, len(value)) + b"".join(map(_text, value))
    if isinstance(value, np.ndarray):
        return struct.pack("<IIQ", _ARRAY, _TYPE_IDS[value.dtype], value.size) + value.tobytes()
    number = value if isinstance(value, np.generic) else _typed(value)
    return struct.pack("<I", _TYPE_IDS[number.dtype]) + number.tobytes()


def _typed(value: bool | float) -> np.generic:
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, float):
        return np.float32(value)
    for dtype in (np.uint32, np.int32, np.int64):
        if np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
            return dtype(value)
    return np.uint64(value)
