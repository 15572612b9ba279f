"""What makes a measurement the same one: case, model file, build of the engine. A changed one is measured anew."""

import hashlib
import subprocess
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import harness
from harness.records.case import Case
from harness.records.json import to_json

EDGE_BYTES = 1 << 20
PEER_PACKAGES = {"ik_wheel": "ik-llama-cpp-python", "xllamacpp": "xllamacpp"}
CODE = (".py", ".so", ".cpp", ".h", ".hpp", ".cu", ".cuh")


def resume_key(case: Case) -> str:
    """Equal for a case whose record may stand for another measurement of it; `case.model.path` is the file used."""
    file = file_identity(Path(case.model.path)) if case.model.path else ""
    text = "\n".join((to_json(case), file, engine_build(case.axes.engine, case.peer_binary)))
    return hashlib.sha256(text.encode()).hexdigest()


def file_identity(path: Path) -> str:
    """Size, time of change and a digest of both ends, for no one waits for many GiB; "absent" if it is not there."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            digest = hashlib.sha256(file.read(EDGE_BYTES))
            file.seek(max(0, size - EDGE_BYTES))
            digest.update(file.read(EDGE_BYTES))
            return f"{size} bytes, {path.stat().st_mtime_ns}, {digest.hexdigest()}"
    except OSError:
        return "absent"


def engine_build(engine: str, peer_binary: str) -> str:
    """What would have to change for an engine to become another: its code, package version or executable."""
    if engine in PEER_PACKAGES:
        try:
            return metadata.version(PEER_PACKAGES[engine])
        except metadata.PackageNotFoundError:
            return "absent"
    if peer_binary:
        return file_identity(Path(peer_binary))
    if engine != "core":
        return engine
    return f"{code_digest(Path(harness.__file__).parent / 'core')} {_native_build()}"


def _native_build() -> str:
    """The compiled part of the CPU backend; an editable installation keeps it apart from the code."""
    spec = find_spec("harness.core.cpu._native")
    return file_identity(Path(spec.origin)) if spec is not None and spec.origin else "absent"


def code_digest(folder: Path) -> str:
    """A digest of all code below `folder`, compiled modules included."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in CODE):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def harness_commit() -> str:
    """The commit this code is at, with "-dirty" if it differs from it; "" where it is no checkout."""
    folder = Path(harness.__file__).parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
