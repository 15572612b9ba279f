"""A mapped file that becomes shorter under a worker costs that case, and says which tensor is gone."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from fake_cases import HASTE, Heard, expansion, fake_case

from harness.core.synth import write_preset
from harness.records.case import Case, ModelRef, Test
from harness.records.timing import Sample
from harness.runner import run
from harness.runner.patience import S
from harness.runner.run import execute

LOST_BYTES = 500_000


class Shortens(Heard):
    """Cuts the end off a file when the first sample arrives, before the worker goes on."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def sample(self, case: Case, *rest: Any) -> None:
        if str(self._path) == case.model.path:
            os.truncate(self._path, whole_bytes(self._path))
        super().sample(case, *rest)


def whole_bytes(path: Path) -> int:
    """The intact copy's size, less what is lost."""
    return path.with_name("intact.gguf").stat().st_size - LOST_BYTES


def mapped(path: Path) -> Case:
    return fake_case(
        path.stem,
        test=Test("pp", 16, 0),
        axes={"engine": "core", "device": "cpu:0", "layout": "mapped"},
        model=ModelRef("tiny", path=str(path)),
        time_budget_ns=2 * S,
    )


def test_the_case_dies_alone_with_a_sentence_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "surveyed", lambda info, *_: info)
    intact, shrinking = tmp_path / "intact.gguf", tmp_path / "shrinking.gguf"
    write_preset("tiny-gpt-oss", intact)
    shutil.copy(intact, shrinking)
    heard = Shortens(shrinking)
    cases = expansion(mapped(shrinking), mapped(intact))
    records = execute(cases, tmp_path / "results", None, (), heard, patience=HASTE).records
    dead, alive = sorted(records, key=lambda record: record.case.case_id, reverse=True)
    assert alive.status == "ok"
    assert dead.status == "crashed"
    assert dead.error is not None
    assert "became shorter while it was mapped (SIGBUS" in dead.error.message
    assert f"{shrinking}: tensor " in dead.error.message
    assert f"but the file has {whole_bytes(shrinking)}" in dead.error.message
    assert isinstance(heard.samples[0], Sample)
