"""Model files before a worker sees them: a hostile header is told by a bounded child, once, for every case of it."""

from pathlib import Path

import pytest
from fake_cases import HASTE, Heard, fake_case

from harness.core.errors import CoreError, GgufError, UnsupportedError
from harness.core.synth import write_preset
from harness.errors import RunError
from harness.records.case import Case, ModelRef
from harness.runner import trouble
from harness.runner.interrupt import Interrupt
from harness.runner.models import ModelFiles


def files() -> ModelFiles:
    return ModelFiles(HASTE, Interrupt(), Heard())


def case(path: Path, engine: str = "core") -> Case:
    return fake_case(model=ModelRef("m", path=str(path)), axes={"engine": engine})


def test_a_header_that_claims_what_the_file_does_not_hold_costs_no_worker(tmp_path: Path) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + b"\xff" * 16)
    with pytest.raises(RunError, match=r"hostile\.gguf"):
        files().with_file(case(path))


def test_a_good_file_passes_and_is_looked_into_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tiny.gguf"
    write_preset("tiny-qwen3moe", path, layers=1)
    looks: list[str] = []
    original = trouble.probe
    monkeypatch.setattr(trouble, "probe", lambda path: (looks.append(path), original(path)))
    found = files()
    for engine in ("core", "ik_wheel", "core"):
        assert found.with_file(case(path, engine)).model.path == str(path)
    assert looks == [str(path)]


@pytest.mark.parametrize(
    ("problem", "engine", "refused"),
    [
        (UnsupportedError("a type from tomorrow"), "core", True),
        (UnsupportedError("a type from tomorrow"), "ik_wheel", False),
        (GgufError("cut off"), "core", True),
        (GgufError("cut off"), "ik_wheel", True),
        (GgufError("cut off"), "fake", False),
    ],
)
def test_what_only_the_core_cannot_read_is_left_to_the_others(
    problem: CoreError, engine: str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: str) -> None:
        raise problem

    path = tmp_path / "m.gguf"
    path.touch()
    monkeypatch.setattr(trouble, "probe", fail)
    if not refused:
        assert files().with_file(case(path, engine)).model.path == str(path)
        return
    with pytest.raises(RunError, match=str(problem)):
        files().with_file(case(path, engine))
