"""Token streams: of real text by a file's own vocabulary, or drawn at random.

Only byte-level BPE vocabularies ("gpt2") are understood; that covers the architectures this core runs.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from harness.core.errors import GgufError, UnsupportedError
from harness.core.gguf import GgufFile

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_ENDS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_LEAD = r"[^\r\n\p{L}\p{N}]?"
_CASED_WORDS = rf"{_LEAD}{_UPPER}*{_LOWER}+{_CONTRACTIONS}?|{_LEAD}{_UPPER}+{_LOWER}*{_CONTRACTIONS}?"

PRE_TOKENIZERS: dict[str, tuple[str, ...]] = {
    "gpt-2": (_GPT2,),
    "default": (r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]"),
    "smollm": (r"\p{N}", _GPT2),
    "llama-bpe": (rf"{_CONTRACTIONS}|{_LEAD}\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_ENDS}",),
    "qwen2": (rf"{_CONTRACTIONS}|{_LEAD}\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_ENDS}",),
    "gpt-4o": (rf"{_CASED_WORDS}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_ENDS}",),
}
"""How a text is cut before merging, by `tokenizer.ggml.pre`; from the tokenizer.json of each family."""

_MERGES_IGNORED_FOR_WHOLE_TOKENS = ("llama-bpe",)


def english_text() -> str:
    """About 200 KiB of English prose in the public domain."""
    return files("harness.core.data").joinpath("english.txt").read_text(encoding="ascii")


def text_tokens(file: GgufFile, text: str) -> list[int]:
    """`text` in tokens of the file's own vocabulary, after the beginning-of-text token if the file wants one.

    Errors: UnsupportedError for another kind of vocabulary, GgufError for a damaged one.
    """
    ids: list[int] = _tokenizer(file).encode(text, add_special_tokens=False).ids
    begin = file.metadata.get("tokenizer.ggml.bos_token_id")
    if file.metadata.get("tokenizer.ggml.add_bos_token") is True and isinstance(begin, int):
        return [begin, *ids]
    return ids


def random_tokens(n_vocab: int, n: int, seed: int) -> list[int]:
    """`n` tokens drawn evenly; the same ones for the same seed."""
    drawn: list[int] = np.random.default_rng(seed).integers(0, n_vocab, n).tolist()
    return drawn


def _tokenizer(file: GgufFile) -> "Tokenizer":
    """The Hugging Face tokenizer of a file."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers  # noqa: PLC0415  only text needs it

    kind = file.metadata.get("tokenizer.ggml.model")
    pre = file.metadata.get("tokenizer.ggml.pre", "default")
    if kind != "gpt2" or pre not in PRE_TOKENIZERS:
        raise UnsupportedError(
            f"{file.shards[0].name} has a vocabulary of kind {kind!r}, cut by {pre!r}; "
            f"text needs kind 'gpt2' cut by one of {', '.join(PRE_TOKENIZERS)}; use random tokens instead"
        )
    vocabulary = {token: index for index, token in enumerate(_strings(file, "tokens"))}
    merges = [_pair(merge) for merge in _strings(file, "merges")]
    try:
        bpe = models.BPE(vocabulary, merges, ignore_merges=pre in _MERGES_IGNORED_FOR_WHOLE_TOKENS)
    except Exception as error:  # the package raises plain Exception
        raise GgufError(f"{file.shards[0].name}: the vocabulary contradicts itself: {error}") from error
    tokenizer = Tokenizer(bpe)
    cuts = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in PRE_TOKENIZERS[pre]]
    as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*cuts, as_bytes])
    return tokenizer


def _strings(file: GgufFile, key: str) -> Sequence[str]:
    strings = file.metadata.get(f"tokenizer.ggml.{key}")
    if not isinstance(strings, Sequence) or isinstance(strings, str):
        raise GgufError(f"{file.shards[0].name}: tokenizer.ggml.{key} is missing; the file has no vocabulary for text")
    return strings


def _pair(merge: str) -> tuple[str, str]:
    left, _, right = merge.partition(" ")
    return left, right
