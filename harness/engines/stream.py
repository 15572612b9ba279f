"""The tokens of a case, the same each time. A longer stream begins with the shorter: a rewound cache stays valid."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.core.gguf import open_gguf
from harness.core.tokens import english_text, random_tokens, text_tokens
from harness.errors import EngineError
from harness.records.case import Case, Test

SEED = 1137
MAX_EQUIVALENCE_TOKENS = 256
MAX_LOGITS_BYTES = 64 << 20


def token_stream(case: Case, n_vocab: int, n_tokens: int) -> NDArray[np.int32]:
    """[n_tokens] token numbers: random, or real text in the file's own vocabulary where `tokens: text` asks for it.

    A stream longer than the text begins again. Errors: EngineError without a file, CoreError for its vocabulary.
    """
    if case.axes.tokens != "text":
        return np.asarray(random_tokens(n_vocab, n_tokens, SEED), np.int32)
    if case.model.path is None:
        raise EngineError(f"tokens: text needs the vocabulary of a file, and {case.model.label} has none.")
    return np.resize(_text_ids(case.model.path), n_tokens)


def context_tokens(test: Test) -> int:
    """Positions a KV cache must have for every row of `test`, and for the equivalence pass."""
    together = test.n_prompt + test.n_gen if test.kind == "pg" else max(test.n_prompt, test.n_gen)
    return max(max(test.depths) + together, MAX_EQUIVALENCE_TOKENS)


def equivalence_tokens(n_vocab: int) -> int:
    """How many tokens the equivalence pass compares: at most 256, fewer where a row of logits is long."""
    return max(16, min(MAX_EQUIVALENCE_TOKENS, MAX_LOGITS_BYTES // (4 * n_vocab)))


@lru_cache(maxsize=1)
def _text_ids(path: str) -> NDArray[np.int32]:
    """Engine and sampling loop ask for the same text; a large vocabulary is read once."""
    with open_gguf(path) as file:
        return np.asarray(text_tokens(file, english_text()), np.int32)
