"""The tokens of a case, the same each time. A longer stream begins with the shorter: a rewound cache stays valid."""

import numpy as np
from numpy.typing import NDArray

from harness.records.case import Case, Test

SEED = 1137
MAX_EQUIVALENCE_TOKENS = 256
MAX_LOGITS_BYTES = 64 << 20


def token_stream(case: Case, n_vocab: int, n_tokens: int) -> NDArray[np.int32]:
    """[n_tokens] token numbers: random, or real text in the file's own vocabulary where `tokens: text` asks for it."""
    return np.random.default_rng(SEED).integers(0, n_vocab, n_tokens, dtype=np.int32)


def context_tokens(test: Test) -> int:
    """Positions a KV cache must have for every row of `test`, and for the equivalence pass."""
    together = test.n_prompt + test.n_gen if test.kind == "pg" else max(test.n_prompt, test.n_gen)
    return max(max(test.depths) + together, MAX_EQUIVALENCE_TOKENS)


def equivalence_tokens(n_vocab: int) -> int:
    """How many tokens the equivalence pass compares: at most 256, fewer where a row of logits is long."""
    return max(16, min(MAX_EQUIVALENCE_TOKENS, MAX_LOGITS_BYTES // (4 * n_vocab)))
