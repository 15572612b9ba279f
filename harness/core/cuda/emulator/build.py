"""Compiles the run time and the kernels with g++, once per content. The checked build watches every memory access."""

import os
import subprocess
import threading
from functools import cache
from pathlib import Path

from harness.core.cuda.api import KernelName
from harness.core.cuda.sources import KERNELS, cache_folder, definitions, generated_headers, source_digest
from harness.core.errors import DeviceError

NATIVE = Path(__file__).parent / "native"
_RUNTIME = ("async", "block", "fiber", "launch", "warp")
_FLAGS = (
    *("-O2", "-std=c++20", "-fPIC", "-shared", "-g1", "-pthread"),
    *("-mfma", "-mf16c", "-ffp-contract=off", "-DSIMT"),
    *("-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-Wno-unknown-pragmas", "-Wno-sign-compare"),
)
# Locals that a kernel forgot to set hold a pattern (-2e38 as a float), not the zeros of a fresh stack.
_KERNEL_FLAGS = ("-ftrivial-auto-var-init=pattern",)
_CHECK_FLAGS = ("-DSIMT_CHECK",)


def build_runtime(*, checked: bool) -> Path:
    """The shared library of the run time."""
    sources = [NATIVE / f"{name}.cpp" for name in (*_RUNTIME, *(("check",) if checked else ()))]
    flags = (*_FLAGS, *(_CHECK_FLAGS if checked else ()))
    key = source_digest(KernelName("runtime", ""), _native_sources(), *flags)
    library = cache_folder() / f"simt-{key}.so"
    return _compile(library, (*flags, f"-Wl,-soname,{library.name}", *map(str, sources)))


def build_kernel(kernel: KernelName, *, checked: bool, sources: Path = KERNELS) -> Path:
    """The shared library of one source for one format. `sources` may be a copy with a bug planted, for tests."""
    runtime = build_runtime(checked=checked)
    flags = (
        *_FLAGS,
        *_KERNEL_FLAGS,
        *(("-fsanitize=thread", *_CHECK_FLAGS) if checked else ()),
        *definitions(kernel),
    )
    key = source_digest(kernel, _native_sources(), *flags, sources=sources)
    library = cache_folder() / f"{kernel.source}-{kernel.format or 'any'}-{key}.so"
    includes = (f"-I{NATIVE}", f"-I{sources}", f"-I{generated_headers()}")
    # The sanitizer's calls go to our own run time: g++ compiles, and a plain link leaves libtsan out.
    unit = library.with_suffix(f".{os.getpid()}-{threading.get_ident()}.o")
    source = str(sources / f"{kernel.source}.cu")
    if library.exists():
        return library
    compile_flags = tuple(flag for flag in flags if flag != "-shared")
    _run((_compiler(), *compile_flags, *includes, "-c", "-x", "c++", source, "-o", str(unit)))
    try:
        return _compile(library, ("-shared", "-pthread", str(unit), str(runtime), f"-Wl,-rpath,{runtime.parent}"))
    finally:
        unit.unlink()


def _compile(library: Path, arguments: tuple[str, ...]) -> Path:
    if library.exists():
        return library
    library.parent.mkdir(parents=True, exist_ok=True)
    temporary = library.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")
    _run((_compiler(), *arguments, "-o", str(temporary)))
    temporary.replace(library)
    return library


def _run(command: tuple[str, ...]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise DeviceError(f"the CUDA emulator needs {command[0]}; install it: sudo apt-get install g++") from error
    if done.returncode != 0:
        raise DeviceError(f"the CUDA emulator could not be compiled by {command[0]}:\n{done.stderr[-4000:]}")


def _compiler() -> str:
    return os.environ.get("CXX", "g++")


@cache
def _native_sources() -> str:
    files = sorted((*NATIVE.glob("*.cpp"), *NATIVE.glob("*.h")))
    return "\n".join(path.read_text() for path in files)
