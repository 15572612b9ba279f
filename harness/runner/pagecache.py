"""Whether a model's file is in the kernel's page cache: brought about before a load and verified, never assumed.

"cold" speaks of this kernel's page cache alone; below it, a hypervisor or a disk may still remember the file.
"""

import ctypes
import mmap
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from harness.errors import EngineError

State = Literal["cold", "warm"]

MOSTLY = 0.99
BLOCK_BYTES = 8 << 20
_SPLIT = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<total>\d{5})\.gguf")


def model_files(path: Path) -> tuple[Path, ...]:
    """The file, or all files of a split model, by their names."""
    match = _SPLIT.fullmatch(path.name)
    if match is None:
        return (path,)
    total = int(match["total"])
    return tuple(path.with_name(f"{match['stem']}-{i:05d}-of-{total:05d}.gguf") for i in range(1, total + 1))


def bring_about(state: State, path: Path) -> str:
    """Make the model's files cold or warm; what a person should know if that is not possible, else "".

    Errors: EngineError for files that stay in the cache though asked to leave: a load would be called cold and not be.
    """
    files = [file for file in model_files(path) if file.is_file()]
    if state == "cold":
        for file in files:
            _drop(file)
        if (share := resident_share(files, of_nothing=0.0)) > 1 - MOSTLY:
            why = f"{share:.0%} of {path.name} stay in the page cache; another process has the file mapped"
            raise EngineError(f"{why}. End that process, or measure with cache: warm.")
    elif resident_share(files, of_nothing=1.0) < MOSTLY:
        for file in files:
            _read_through(file)
        if (share := resident_share(files, of_nothing=1.0)) < MOSTLY:
            return f"only {share:.0%} of {path.name} fit into the page cache: its loads are not warm"
    return ""


def resident_share(files: Sequence[Path], of_nothing: float = 0.0) -> float:
    """The share of the files' pages that are in the page cache; `of_nothing` where there are no pages."""
    pages = [_resident_pages(file) for file in files]
    total = sum(n for _, n in pages)
    return sum(resident for resident, _ in pages) / total if total else of_nothing


def _drop(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fdatasync(descriptor)  # what is not on the disk yet cannot be dropped
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _read_through(file: Path) -> None:
    block = bytearray(BLOCK_BYTES)
    with file.open("rb", buffering=0) as source:
        while source.readinto(block):
            pass


def _resident_pages(file: Path) -> tuple[int, int]:
    """Pages of the file in the cache, and in all: mincore(2) over a mapping that touches nothing."""
    size = file.stat().st_size
    if not size:
        return 0, 0
    n_pages = -(-size // mmap.PAGESIZE)
    found = np.zeros(n_pages, np.uint8)
    with file.open("rb") as source, mmap.mmap(source.fileno(), size, prot=mmap.PROT_READ) as mapped:
        address = np.frombuffer(mapped, np.uint8).ctypes.data
        failed = _libc().mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), ctypes.c_void_p(found.ctypes.data))
        if failed:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(file))
    return int((found & 1).sum()), n_pages


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
