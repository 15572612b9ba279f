"""A byte-level BPE vocabulary of any size, valid for every tokenizer of the GPT-2 kind; it means nothing.

Token ids 0 … 255 are the single bytes; longer byte strings follow, then three control tokens. A random model reads ids,
so all that matters is that engines accept the vocabulary and that its size is right.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from harness.core.errors import UnsupportedError
from harness.core.gguf.writer import Value

CONTROL = ("<|start|>", "<|end|>", "<|pad|>")
MIN_TOKENS = 256 + 1 + len(CONTROL)
_NORMAL, _CONTROL_TYPE = 1, 3


def vocabulary(n_tokens: int, pre: str) -> dict[str, Value]:
    """Metadata of a vocabulary of `n_tokens` with pre-tokenizer `pre`. Errors: UnsupportedError if it is too small."""
    if n_tokens < MIN_TOKENS:
        raise UnsupportedError(
            f"A vocabulary of {n_tokens} tokens has no room for all bytes; ask for {MIN_TOKENS} or more."
        )
    letters = byte_letters()
    longer = list(islice(_longer(letters), n_tokens - 256 - len(CONTROL)))
    types = np.full(n_tokens, _NORMAL, np.int32)
    types[-len(CONTROL) :] = _CONTROL_TYPE
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": [*letters, *(left + right for left, right in longer), *CONTROL],
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.merges": [f"{left} {right}" for left, right in longer],
        "tokenizer.ggml.bos_token_id": n_tokens - 3,
        "tokenizer.ggml.eos_token_id": n_tokens - 2,
        "tokenizer.ggml.padding_token_id": n_tokens - 1,
        "tokenizer.ggml.add_bos_token": False,
    }


def byte_letters() -> list[str]:
    """GPT-2's printable stand-in for each byte: itself where it prints, else a letter from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def _longer(letters: list[str]) -> Iterator[tuple[str, str]]:
    """All strings of two letters, then of three, …; each as the two shorter tokens it is merged from."""
    stems = letters
    while True:
        yield from ((stem, letter) for stem in stems for letter in letters)
        stems = [stem + letter for stem in stems for letter in letters]
