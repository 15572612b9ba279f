"""The pass before timing: what is asked of a real model, and what of one that was made."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_cases import fake_case

from harness.core.errors import UnsupportedError
from harness.engines.fake import FakeEngine
from harness.records.case import Case, ModelRef, StandIn
from harness.records.record import Equivalence
from harness.runner import equivalence
from harness.runner.equivalence import check_logits
from harness.runner.job import LogitsTask

N_VOCAB = 64


class Asked(FakeEngine):
    """Remembers which tokens it was asked for."""

    def logits(self, tokens: Any) -> Any:
        self.tokens = list(tokens)
        return np.random.default_rng(list(tokens)).normal(size=(len(tokens), N_VOCAB)).astype(np.float32)


def streams(case: Case, n_vocab: int, n_tokens: int) -> Any:
    return np.full(n_tokens, 7 if case.axes.tokens == "text" else 3, np.int32)


def compared(case: Case, folder: Path) -> tuple[Equivalence, int]:
    engine = Asked()
    engine.load(fake_case())
    check_logits(engine, case, N_VOCAB, LogitsTask("save", str(folder / "a.npy")))
    found = check_logits(engine, case, N_VOCAB, LogitsTask("compare", str(folder / "a.npy"), "a"))
    return found, engine.tokens[0]


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr(equivalence, "token_stream", streams)
    return fake_case(model=ModelRef("m", path="real.gguf"), axes={"engine": "core"})


def test_a_real_model_is_asked_real_text_and_its_perplexity_is_told(real: Case, tmp_path: Path) -> None:
    found, token = compared(real, tmp_path)
    assert (found.verdict, token) == ("identical", 7)
    assert "perplexity" in found.note


def test_a_made_model_is_asked_what_its_rows_are(real: Case, tmp_path: Path) -> None:
    made = replace(real, model=ModelRef("m", "made.gguf", StandIn("tiny-gpt-oss")))
    found, token = compared(made, tmp_path)
    assert token == 3
    assert "perplexity" not in found.note


def test_a_vocabulary_that_cannot_be_read_is_no_obstacle(
    real: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(case: Case, n_vocab: int, n_tokens: int) -> Any:
        if case.axes.tokens == "text":
            raise UnsupportedError("a vocabulary from tomorrow")
        return streams(case, n_vocab, n_tokens)

    monkeypatch.setattr(equivalence, "token_stream", refuse)
    found, token = compared(real, tmp_path)
    assert (found.verdict, token) == ("identical", 3)
    assert "perplexity" not in found.note
