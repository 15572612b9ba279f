"""Compiles kernels for a GPU architecture with NVRTC; needs its library, but neither a driver nor a GPU.

Called through ctypes: CuPy's own compilation asks for a device first. One set of options everywhere: no fast math, and
denormals kept, since MXFP4's smallest scales are denormal.
"""

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from harness.core.cuda.api import KernelName
from harness.core.cuda.sources import (
    KERNELS,
    cache_folder,
    definitions,
    generated_headers,
    source_digest,
    write_atomically,
)
from harness.core.errors import DeviceError

OPTIONS = ("--std=c++17", "--ftz=false", "--prec-div=true", "--prec-sqrt=true", "--fmad=false", "--ptxas-options=-v")
ARCHITECTURES = (75, 80, 86, 89, 90, 120)
"""Compute capabilities the kernels are compiled for in the nightly run; 75, 86 and 120 in every run."""


@dataclass(frozen=True)
class Compiled:
    """A cubin on disk and what ptxas said of it."""

    path: Path
    log: str


def compile_kernel(kernel: KernelName, architecture: int) -> Compiled:
    """The source of `kernel` for sm_`architecture`, compiled once per content. Errors: DeviceError with NVRTC's log."""
    library = _library()
    options = (f"--gpu-architecture=sm_{architecture}", *OPTIONS, *definitions(kernel))
    key = source_digest(kernel, _version(library), *options)
    cubin = cache_folder() / f"{kernel.source}-{kernel.format or 'any'}-sm{architecture}-{key}.cubin"
    log = cubin.with_suffix(".log")
    if not (cubin.exists() and log.exists()):
        cubin.parent.mkdir(parents=True, exist_ok=True)
        includes = (f"--include-path={KERNELS}", f"--include-path={generated_headers()}")
        source = (KERNELS / f"{kernel.source}.cu").read_text()
        binary, text = _compile(library, f"{kernel.source}.cu", source, (*options, *includes))
        write_atomically(log, text.encode())
        write_atomically(cubin, binary)
    return Compiled(cubin, log.read_text())


def nvrtc_version() -> str:
    """As "13.0". Errors: DeviceError without NVRTC."""
    return _version(_library())


def _compile(library: ctypes.CDLL, name: str, source: str, options: tuple[str, ...]) -> tuple[bytes, str]:
    program = ctypes.c_void_p()
    _check(library, library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), name.encode(), 0, None, None))
    try:
        words = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        status = library.nvrtcCompileProgram(program, len(options), words)
        log = _text(library, library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog, program).decode(
            errors="replace"
        )
        if status != 0:
            raise DeviceError(f"NVRTC cannot compile {name} ({' '.join(options)}):\n{log[-4000:]}")
        return _text(library, library.nvrtcGetCUBINSize, library.nvrtcGetCUBIN, program), log.rstrip("\0")
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _text(
    library: ctypes.CDLL,
    ask_size: "ctypes._NamedFuncPointer",
    ask: "ctypes._NamedFuncPointer",
    program: ctypes.c_void_p,
) -> bytes:
    size = ctypes.c_size_t()
    _check(library, ask_size(program, ctypes.byref(size)))
    buffer = ctypes.create_string_buffer(size.value)
    _check(library, ask(program, buffer))
    return buffer.raw


def _check(library: ctypes.CDLL, status: int) -> None:
    if status != 0:
        raise DeviceError(f"NVRTC failed: {library.nvrtcGetErrorString(status).decode()}")


def _version(library: ctypes.CDLL) -> str:
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(library, library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
    return f"{major.value}.{minor.value}"


@cache
def _library() -> ctypes.CDLL:
    for candidate in _candidates():
        try:
            library = ctypes.CDLL(candidate)
        except OSError:
            continue
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        return library
    raise DeviceError(
        "NVRTC, CUDA's run-time compiler, was not found; "
        "install it with CuPy: pip install 'harness[cuda13]' (or [cuda12])"
    )


def _candidates() -> Iterator[str]:
    """NVIDIA's wheels first, then a toolkit, then wherever the loader looks."""
    nvidia = find_spec("nvidia")
    folders = [Path(place) for place in (nvidia.submodule_search_locations or [])] if nvidia else []
    for folder in folders:
        yield from map(str, sorted(folder.glob("*/lib/libnvrtc.so.*"), reverse=True))
    for variable in ("CUDA_PATH", "CUDA_HOME"):
        if variable in os.environ:
            yield f"{os.environ[variable]}/lib64/libnvrtc.so"
    yield from ("libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so")
