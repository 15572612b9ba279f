"""How well a loaded model predicts a text, measured as llama-perplexity does it, so that figures can be compared.

The text is cut into windows of equal length, each entering an empty cache; only the second half of a window counts,
where every token has at least half a window before it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import SessionError
from harness.core.session import Session, Tokens

Logits = NDArray[np.float32]


def perplexity(session: Session, tokens: Tokens, window: int) -> float:
    """The exponential of the mean negative log-likelihood over whole windows of `tokens`; a rest is left out.

    Errors: SessionError for fewer tokens than a window, a window below 4 or beyond the context; as `Session.prefill`.
    """
    ids = np.asarray(tokens, np.int64)
    n_windows = len(ids) // window if 4 <= window <= session.n_ctx else 0
    if n_windows == 0:
        raise SessionError(
            f"{len(ids)} tokens in windows of {window} have no perplexity: "
            f"it needs a window of 4 to {session.n_ctx} tokens and a text at least as long"
        )
    losses = [_losses(session.logits(part), part) for part in ids[: n_windows * window].reshape(n_windows, window)]
    return math.exp(float(np.mean(losses)))


def _losses(logits: Logits, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    """Negative log-likelihoods of the tokens after the first half plus one, whose logits are those before them."""
    first = len(tokens) // 2
    told, asked = logits[first:-1].astype(np.float64), tokens[first + 1 :]
    told -= told.max(axis=1, keepdims=True)
    losses: NDArray[np.float64] = np.log(np.exp(told).sum(axis=1)) - told[np.arange(len(asked)), asked]
    return losses
