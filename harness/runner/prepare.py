"""Model files that are made: found in the cache or made there, whole or not at all, by one process at a time.

A file's name holds a digest of everything it is made from, the code that makes it included.
"""

import glob
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import harness
from harness.errors import RunError
from harness.records.case import Case, ModelRef
from harness.runner.identity import code_digest, file_identity
from harness.store.files import locked
from harness.store.runs import slug

DIGEST_DIGITS = 12

Maker = Callable[[ModelRef, Path], None]


def cache_folder() -> Path:
    """$HARNESS_CACHE, or `harness` in the user's cache folder."""
    if named := os.environ.get("HARNESS_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "harness"


def prepared(model: ModelRef, folder: Path, make: Maker) -> Path:
    """The file of a stand-in or mixture, made by `make(model, path)` if it is not there in full. Errors: RunError."""
    path = folder / f"{slug(_name(model))}-{_digest(model)}.gguf"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(path.with_suffix(".lock"), f"{path}: somebody else is making it", wait=True):
            if not _whole(path):
                _make(model, path, make)
    except OSError as error:
        why = f"{path}: cannot be made ({error.strerror or error})"
        raise RunError(f"{why}. Make room, or name another folder in $HARNESS_CACHE.") from error
    return path


def is_made(model: ModelRef) -> bool:
    """Whether the runner has to make the model's file."""
    return model.path is None and (model.stand_in is not None or model.mixture_of is not None)


def with_file(case: Case) -> Case:
    """The case with its model's file named, made in this process where it is not there. Errors: RunError, CoreError."""
    if not is_made(case.model):
        return case
    return replace(case, model=replace(case.model, path=str(prepared(case.model, cache_folder(), make_file))))


def make_file(model: ModelRef, path: Path) -> None:
    """Write the file; runs in a worker. Errors: CoreError, OSError."""
    from harness.core import synth  # noqa: PLC0415  the parent never makes one

    if model.stand_in is not None:
        made = model.stand_in
        synth.write_preset(
            made.preset, path, layers=made.layers, vocab=made.vocab, n_expert=made.n_expert, seed=made.seed
        )
    elif model.mixture_of is not None:
        synth.derive_mixture(Path(model.mixture_of), path)


def _make(model: ModelRef, path: Path, make: Maker) -> None:
    part = path.with_suffix(".part")
    try:
        make(model, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        _size_file(path).write_text(json.dumps({"size_bytes": part.stat().st_size}))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _remove_superseded(path)


def _remove_superseded(path: Path) -> None:
    """What an older version of the code, or an older source, made under this name would never be used again."""
    stem = path.stem[:-DIGEST_DIGITS]
    for old in path.parent.glob(f"{glob.escape(stem)}{'[0-9a-f]' * DIGEST_DIGITS}.*"):
        if old.stem != path.stem and old.suffix != ".lock":
            old.unlink(missing_ok=True)


def _whole(path: Path) -> bool:
    """Whether the file is there with the size it was made with: a disk that lost its end is noticed."""
    try:
        return bool(json.loads(_size_file(path).read_text())["size_bytes"] == path.stat().st_size)
    except (OSError, ValueError, KeyError):
        return False


def _size_file(path: Path) -> Path:
    return path.with_suffix(".json")


def _name(model: ModelRef) -> str:
    if model.stand_in is None:
        return f"{Path(model.mixture_of or model.name).stem}-mixture"
    made = model.stand_in
    parts = (made.preset, made.layers, made.vocab, f"{made.n_expert}-experts" if made.n_expert else None)
    return "-".join(str(part) for part in parts if part is not None)


def _digest(model: ModelRef) -> str:
    source = file_identity(Path(model.mixture_of)) if model.mixture_of else ""
    made = asdict(model.stand_in) if model.stand_in else {}
    code = code_digest(Path(harness.__file__).parent / "core" / "synth")
    return hashlib.sha256(json.dumps([made, source, code]).encode()).hexdigest()[:DIGEST_DIGITS]
