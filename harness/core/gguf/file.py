"""A model on disk, in one file or split over several; nothing is opened but the given file and its own siblings."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import UnsupportedError
from harness.core.formats.table import FORMATS
from harness.core.gguf import limits
from harness.core.gguf.header import Header, read_header
from harness.core.gguf.shard import Shard
from harness.core.gguf.tensor import TensorInfo
from harness.core.gguf.text import BEYOND, MISWRITTEN, printable

_SPLIT_NAME = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<total>\d{5})\.gguf", re.DOTALL)


class GgufFile:
    """Metadata and tensors of a model. Metadata is the first file's; tensors are all files', in order."""

    def __init__(self, shards: list[Shard], metadata: Mapping[str, Any], tensors: Mapping[str, TensorInfo]) -> None:
        self._shards = tuple(shards)
        self.shards: tuple[Path, ...] = tuple(shard.path for shard in shards)
        self.metadata: Mapping[str, Any] = MappingProxyType(dict(metadata))
        self.tensors: Mapping[str, TensorInfo] = MappingProxyType(dict(tensors))

    @property
    def size_bytes(self) -> int:
        """Bytes of all files together, as they were when opened."""
        return sum(shard.size_bytes for shard in self._shards)

    def read(self, name: str) -> NDArray[np.uint8]:
        """The tensor's rows, uint8 [n_rows, row_bytes]. KeyError if there is none; GgufError if the file changed."""
        tensor = self.tensors[name]
        rows = np.empty((tensor.n_rows, tensor.row_bytes), np.uint8)
        self.read_into(tensor.shard, tensor.offset, rows.reshape(-1))
        return rows

    def read_into(self, shard: int, offset: int, out: NDArray[np.uint8]) -> None:
        """Fill the contiguous `out` from byte `offset` of file `shard`. Thread-safe. Errors: GgufError."""
        self._shards[shard].read_into(offset, out.data.cast("B"))

    def ask(self, shard: int, offset: int, n_bytes: int) -> None:
        """Have the system fetch bytes of file `shard` that will be read soon."""
        self._shards[shard].ask(offset, n_bytes)

    def map(self, shard: int) -> NDArray[np.uint8]:
        """All bytes of file `shard`, mapped read-only; valid as long as the array lives. Errors: GgufError."""
        return np.frombuffer(self._shards[shard].map(), np.uint8)

    def close(self) -> None:
        for shard in self._shards:
            shard.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_gguf(path: Path | str) -> GgufFile:
    """Open a model by its file, or by any one of its files if it is split.

    Errors: GgufError for a file that is not what it claims to be; UnsupportedError in one sentence with every
    tensor whose format the core does not know.
    """
    first = Shard(Path(path))
    header = read_header(first, 0)
    n_shards = _split_number(first, header.metadata, "split.count", default=1)
    if not 0 <= n_shards <= limits.MAX_SHARDS:
        raise first.fail(f"is split into {n_shards} files; up to {limits.MAX_SHARDS} are allowed", BEYOND)
    if n_shards > 1:
        first.close()
        return _open_split(_sibling_paths(first, n_shards))
    _refuse_unsupported(first, header.table.unsupported)
    return GgufFile([first], header.metadata, header.table.tensors)


def _refuse_unsupported(shard: Shard, unsupported: Mapping[str, str]) -> None:
    by_format: dict[str, list[str]] = {}
    for name, fmt in unsupported.items():
        by_format.setdefault(fmt, []).append(printable(name, limits.MAX_NAME_BYTES))
    if by_format:
        listed = "; ".join(f"{fmt}: {', '.join(names)}" for fmt, names in by_format.items())
        known = ", ".join(row.name for row in FORMATS)
        raise UnsupportedError(
            f"{shard.label} has tensors in formats that cannot be computed with here ({listed}), "
            f"so use a file quantised with {known}."
        )


def _sibling_paths(shard: Shard, n_shards: int) -> list[Path]:
    """The names of all files of a split model, from the name of one; never from metadata."""
    match = _SPLIT_NAME.fullmatch(shard.path.name)
    if match is None or int(match["total"]) != n_shards:
        wanted = f"name-00001-of-{n_shards:05d}.gguf"
        raise shard.fail(
            f"is one of {n_shards} files, but is not named like {wanted}", "Give the files their names back."
        )
    paths = [shard.path.with_name(f"{match['stem']}-{i:05d}-of-{n_shards:05d}.gguf") for i in range(1, n_shards + 1)]
    missing = [printable(path.name) for path in paths if not path.is_file()]
    if missing:
        raise shard.fail(f"is one of {n_shards} files, and these are missing: {', '.join(missing)}", "Fetch them too.")
    return paths


def _open_split(paths: list[Path]) -> GgufFile:
    shards: list[Shard] = []
    metadata: dict[str, Any] = {}
    tensors: dict[str, TensorInfo] = {}
    unsupported: dict[str, str] = {}
    for index, path in enumerate(paths):
        shard = Shard(path)
        header = read_header(shard, index)
        _check_part(shard, header, index, len(paths), tensors.keys() | unsupported.keys())
        metadata = metadata or header.metadata
        tensors |= header.table.tensors
        unsupported |= header.table.unsupported
        shards.append(shard)
    n_tensors = len(tensors) + len(unsupported)
    declared = _split_number(shards[0], metadata, "split.tensors.count", n_tensors)
    if declared != n_tensors:
        raise shards[0].fail(f"declares {declared} tensors over all its files, which hold {n_tensors}")
    _refuse_unsupported(shards[0], unsupported)
    return GgufFile(shards, metadata, tensors)


def _check_part(shard: Shard, header: Header, index: int, n_shards: int, before: AbstractSet[str]) -> None:
    number = _split_number(shard, header.metadata, "split.no", default=-1)
    count = _split_number(shard, header.metadata, "split.count", default=1)
    if (number, count) != (index, n_shards):
        raise shard.fail(f"says it is file {number} of {count}, but is named as file {index} of {n_shards}", MISWRITTEN)
    for name in (header.table.tensors.keys() | header.table.unsupported.keys()) & before:
        raise shard.fail(f"tensor {printable(name)!r} is in an earlier file as well", MISWRITTEN)


def _split_number(shard: Shard, metadata: Mapping[str, Any], key: str, default: int) -> int:
    value = metadata.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise shard.fail(f"{key} is not a whole number", MISWRITTEN)
    return value
