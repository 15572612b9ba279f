"""The compiled kernels as callable entries, and the checker's findings, through ctypes."""

import ctypes
import re
import subprocess
from functools import cached_property
from pathlib import Path

from harness.core.cuda.api import KernelName
from harness.core.cuda.emulator.build import build_kernel, build_runtime
from harness.core.cuda.sources import KERNELS


class KernelLibrary:
    """Entries by kernel name; compiled when first asked for."""

    def __init__(self, *, checked: bool, sources: Path = KERNELS) -> None:
        self._checked = checked
        self._sources = sources
        self._libraries: dict[tuple[str, str], ctypes.CDLL] = {}

    def entry(self, kernel: KernelName) -> "ctypes._NamedFuncPointer":
        """Runs a grid of the kernel: (args, grid, block, shared bytes, schedule, seed) -> 0, or 1 with `error()`."""
        key = (kernel.source, kernel.format)
        if key not in self._libraries:
            path = build_kernel(kernel, checked=self._checked, sources=self._sources)
            self._libraries[key] = ctypes.CDLL(str(path))
        return self._libraries[key][f"emulate_{kernel.entry}"]

    def error(self) -> str:
        """Why the last launch failed."""
        self._runtime.simt_error.restype = ctypes.c_char_p
        return str(self._runtime.simt_error().decode(errors="replace"))

    def note_allocation(self, address: int, n_bytes: int) -> None:
        """Tell the checker that kernels may touch these bytes."""
        if self._checked:
            self._runtime.simt_check_allocation(ctypes.c_void_p(address), ctypes.c_size_t(n_bytes))

    def note_release(self, address: int) -> None:
        """Tell the checker that the allocation there is gone."""
        if self._checked:
            self._runtime.simt_check_release(ctypes.c_void_p(address))

    def take_reports(self) -> str:
        """The checker's findings since the last call, with file and line where the compiler left them."""
        if not self._checked:
            return ""
        self._runtime.simt_check_reports.restype = ctypes.c_char_p
        text = self._runtime.simt_check_reports().decode(errors="replace")
        self._runtime.simt_check_clear()
        return re.sub(r"(\S+)\+0x([0-9a-f]+)", lambda found: _place(found[1], int(found[2], 16)), text)

    @cached_property
    def _runtime(self) -> ctypes.CDLL:
        return ctypes.CDLL(str(build_runtime(checked=self._checked)))


def _place(library: str, offset: int) -> str:
    """File and line of the call that returned to `offset`."""
    command = ("addr2line", "-e", library, hex(offset - 1))
    place = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return Path(place.split(" ")[0]).name
