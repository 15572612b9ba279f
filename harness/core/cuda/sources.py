"""The kernels' sources: where they are, which headers are generated, and the key under which a compilation is kept."""

import hashlib
import os
import re
import threading
from pathlib import Path

import numpy as np

from harness.core.cuda import layout
from harness.core.cuda.api import KernelName
from harness.core.cuda.shapes import MMA_SHAPES, shapes_of
from harness.core.formats.grids import NAMES as GRIDS
from harness.core.formats.grids import grid
from harness.core.formats.table import BY_NAME

KERNELS = Path(__file__).parent / "kernels"
CODES_ONLY = frozenset(shape.source(name) for name in ("experts", "product") for shape in MMA_SHAPES)
"""Sources that multiply codes, which plain floats do not have."""

_INCLUDE = re.compile(r'#include "([^"]+)"')


def formats() -> frozenset[str]:
    """Weight formats that have a decoder here."""
    return frozenset(path.stem.upper() for path in (KERNELS / "formats").glob("*.cuh")) - {"BLOCK", "PLAIN"}


def instances(architecture: int) -> tuple[KernelName, ...]:
    """Every compilation that a card may be asked for, as source and format; `entry` is left empty."""
    names = []
    for source in sorted(path.stem for path in KERNELS.glob("*.cu")):
        known = _formats_of(source, architecture) if takes_format(source) else {""}
        names += [KernelName(source, "", name) for name in sorted(known)]
    return tuple(names)


def _formats_of(source: str, architecture: int) -> frozenset[str]:
    """Tiles on tensor cores multiply codes alone, and each only where the table of shapes has it."""
    if source not in CODES_ONLY:
        return formats()
    return frozenset(
        name
        for name in formats()
        if BY_NAME[name].group
        and any(source.endswith(shape.suffix) for shape in shapes_of(name, architecture).values() if shape.is_mma)
    )


def takes_format(source: str) -> bool:
    """Whether the source is compiled once per weight format."""
    return any("#include FORMAT_FILE" in text for text in _included(KernelName(source, "", "Q8_0"), KERNELS))


def definitions(kernel: KernelName) -> tuple[str, ...]:
    """Preprocessor definitions for one compilation."""
    if not kernel.format:
        return ()
    return f'-DFORMAT_FILE="formats/{kernel.format.lower()}.cuh"', *layout.definitions(kernel.format)


def cache_folder() -> Path:
    """Where compilations are kept: below $HARNESS_CACHE or ~/.cache/harness."""
    base = os.environ.get("HARNESS_CACHE") or Path.home() / ".cache" / "harness"
    return Path(base) / "kernels"


def generated_headers() -> Path:
    """A folder with the codebooks as headers, made from the table that all backends share."""
    texts = {f"grid_{name}.cuh": _grid_header(name) for name in GRIDS}
    folder = cache_folder() / f"headers-{_digest(*texts.values())}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        if not (folder / name).exists():
            write_atomically(folder / name, text.encode())
    return folder


def source_digest(kernel: KernelName, *more: str, sources: Path = KERNELS) -> str:
    """Changes whenever anything does that the compilation of `kernel` depends on; `more` are the compiler's words."""
    return _digest(*_included(kernel, sources), kernel.source, kernel.format, *more)


def write_atomically(path: Path, data: bytes) -> None:
    """Two processes, or threads, may compile the same kernel at once; each sees a whole file or none."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    temporary.write_bytes(data)
    temporary.replace(path)


def _included(kernel: KernelName, sources: Path) -> list[str]:
    """The texts of the kernel's source and of all it includes, generated headers too."""
    texts: dict[str, str] = {}
    waiting = [f"{kernel.source}.cu"]
    while waiting:
        name = waiting.pop()
        if name in texts:
            continue
        texts[name] = _text(name, sources)
        waiting += _INCLUDE.findall(texts[name])
        if "#include FORMAT_FILE" in texts[name]:
            waiting.append(f"formats/{kernel.format.lower()}.cuh")
    return [f"{name}\n{texts[name]}" for name in sorted(texts)]


def _text(name: str, sources: Path) -> str:
    """A source or a generated header; the emulator's own headers are known to its build."""
    grid_name = name.removeprefix("grid_").removesuffix(".cuh")
    if grid_name in GRIDS:
        return _grid_header(grid_name)
    path = sources / name
    return path.read_text() if path.exists() else ""


def _grid_header(name: str) -> str:
    entries = grid(name).view(np.uint32)
    entry = {1: "uint32_t", 2: "uint2"}[entries.shape[1]]
    values = ", ".join("{" + ", ".join(f"{word:#x}u" for word in words) + "}" for words in entries)
    return (
        f"#pragma once\n#define CODEBOOK\ntypedef {entry} CodebookEntry;\n"
        f"constexpr int codebook_size = {len(entries)};\n"
        f"__device__ const CodebookEntry codebook_in_memory[codebook_size] = {{{values}}};\n"
    )


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
