"""Text becomes the tokens that llama.cpp makes of it, for every way of cutting text that is supported."""

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import GgufError, UnsupportedError
from harness.core.gguf import GgufFile, open_gguf
from harness.core.gguf.writer import TensorSource, write_gguf
from harness.core.tokens import PRE_TOKENIZERS, english_text, random_tokens, text_tokens

ODD = "\n\n\n  We've 1234 things, it'S   3.14159!\tÄrger déjà vu 世界 HTTPServer \r\n/path/to  x  "


@pytest.mark.parametrize("pre", list(PRE_TOKENIZERS))
def test_text_becomes_the_tokens_of_llama(smollm2: Path, made: Any, mainline: Any, tmp_path: Path, pre: str) -> None:
    """SmolLM2's vocabulary under each rule of cutting, on a model of one layer."""
    path, text = tmp_path / "words.gguf", tmp_path / "text.txt"
    with open_gguf(made("tiny-llama", layers=1, vocab=49152)) as tiny, open_gguf(smollm2) as words:
        metadata = {**tiny.metadata, **{k: v for k, v in words.metadata.items() if k.startswith("tokenizer.ggml.")}}
        metadata["tokenizer.ggml.pre"] = pre
        sources = [
            TensorSource(t.name, t.format, t.shape, lambda t=t: [tiny.read(t.name)]) for t in tiny.tensors.values()
        ]
        write_gguf(path, metadata, sources)
    text.write_bytes((english_text()[:8000] + ODD).encode())
    with open_gguf(path) as file:
        ours = text_tokens(file, text.read_bytes().decode())
    assert ours == mainline("tokenize", path, str(text))


def test_the_sample_text_is_english_prose_of_about_200_kib() -> None:
    text = english_text()
    assert 180_000 < len(text) < 220_000
    assert text.count(" the ") > 1000


def changed(file: GgufFile, **keys: object) -> GgufFile:
    named = {f"tokenizer.ggml.{key}": value for key, value in keys.items()}
    return GgufFile(list(file._shards), {**file.metadata, **named}, file.tensors)


def test_a_file_that_wants_a_first_token_gets_it(smollm2: Path) -> None:
    with open_gguf(smollm2) as file:
        assert text_tokens(changed(file, add_bos_token=True), "In") == [1, *text_tokens(file, "In")]


def test_another_kind_of_vocabulary_is_a_sentence(smollm2: Path) -> None:
    with open_gguf(smollm2) as file, pytest.raises(UnsupportedError, match=r"kind 'llama'.*use random tokens"):
        text_tokens(changed(file, model="llama"), "In")


def test_a_vocabulary_without_merges_is_a_sentence(smollm2: Path) -> None:
    with open_gguf(smollm2) as file, pytest.raises(GgufError, match=r"tokenizer\.ggml\.merges is missing"):
        text_tokens(changed(file, merges=7), "In")


def test_merges_that_are_not_in_the_vocabulary_are_a_sentence(smollm2: Path) -> None:
    with open_gguf(smollm2) as file, pytest.raises(GgufError, match="the vocabulary contradicts itself"):
        text_tokens(changed(file, merges=["no suchtoken"]), "In")


def test_random_tokens_are_the_same_for_the_same_seed_and_within_the_vocabulary() -> None:
    tokens = random_tokens(100, 1000, seed=4)
    assert tokens == random_tokens(100, 1000, seed=4) != random_tokens(100, 1000, seed=5)
    assert set(tokens) <= set(range(100))
