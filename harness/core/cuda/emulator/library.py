"""The compiled kernels as callable entries, and the checker's findings, through ctypes."""

import ctypes
import re
import subprocess
from functools import cached_property
from pathlib import Path

from harness.core.cuda.api import KernelName
from harness.core.cuda.emulator.build import build_kernel, build_runtime


class KernelLibrary:
    """Entries by kernel name; compiled when first asked for."""

    def __init__(self, *, checked: bool, planted: tuple[str, ...] = ()) -> None:
        self._checked = checked
        self._planted = planted
        self._libraries: dict[tuple[str, str], tuple[Path, ctypes.CDLL]] = {}

    def entry(self, kernel: KernelName) -> "ctypes._NamedFuncPointer":
        """Runs a grid of the kernel: (args, grid, block, shared bytes, schedule, seed) -> 0, or 1 with `error()`."""
        key = (kernel.source, kernel.format)
        if key not in self._libraries:
            path = build_kernel(kernel, checked=self._checked, extra=self._planted)
            self._libraries[key] = path, ctypes.CDLL(str(path))
        return self._libraries[key][1][f"emulate_{kernel.entry}"]

    def error(self) -> str:
        """Why the last launch failed."""
        self._runtime.simt_error.restype = ctypes.c_char_p
        return str(self._runtime.simt_error().decode(errors="replace"))

    def note_allocation(self, address: int, n_bytes: int) -> None:
        """Tell the checker that kernels may touch these bytes."""
        if self._checked:
            self._runtime.simt_check_allocation(ctypes.c_void_p(address), ctypes.c_size_t(n_bytes))

    def take_reports(self) -> str:
        """The checker's findings since the last call, with file and line where the compiler left them."""
        if not self._checked:
            return ""
        self._runtime.simt_check_reports.restype = ctypes.c_char_p
        text = self._runtime.simt_check_reports().decode(errors="replace")
        self._runtime.simt_check_clear()
        return re.sub(r"\+0x([0-9a-f]+)", lambda found: self._place(int(found[1], 16)), text)

    @cached_property
    def _runtime(self) -> ctypes.CDLL:
        return ctypes.CDLL(str(build_runtime(checked=self._checked)))

    def _place(self, offset: int) -> str:
        """The source line of an offset, asked of every module: only the one that has it answers."""
        for path, _ in self._libraries.values():
            command = ("addr2line", "-e", str(path), hex(offset - 1))
            place = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
            name = Path(place.split(" ")[0]).name
            if ".cu" in name:
                return name
        return f"+{offset:#x}"
