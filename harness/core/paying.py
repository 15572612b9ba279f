"""From how many tokens on it pays that a GPU borrows experts: two measured times, and how they grow with the tokens.

Experts that several tokens share are copied once, so copying grows with the experts in use and ends at all of them;
what the CPU multiplies grows with the tokens for ever.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.backend import Context, TimesSizes
from harness.core.errors import SessionError
from harness.core.program.costs import expected_experts
from harness.core.program.op import Sizes

PROBE_TOKENS = 128
"""A ubatch that experts are likely to share, as in prompts; `ubatch` where that is smaller."""
PASSES = 2
"""The faster one counts: the first finds pages and clocks as the load left them."""


@dataclass(frozen=True)
class Probe:
    """What the experts' layers took: `lender_ns` for `n_tokens` - 1 tokens, `borrower_ns` with `n_tokens`."""

    n_tokens: int
    lender_ns: int
    borrower_ns: int


def pays_from(probe: Probe, n_expert: int, top_k: int, most: int) -> int:
    """The fewest tokens, up to `most`, that the borrower takes no longer for than the lender; 0 where it always does.

    The lender's time for T tokens is `lender_ns` * T / (n - 1), the borrower's `borrower_ns` * used(T) / used(n), where
    used(T) = E * (1 - (1 - k/E)^T) experts are expected to be copied for tokens that draw k of E evenly. That is ever
    less per token, so what pays for some tokens pays for more.
    """
    per_token = probe.lender_ns / (probe.n_tokens - 1)
    per_expert = probe.borrower_ns / expected_experts(n_expert, top_k, probe.n_tokens)
    sizes = range(1, most + 1)
    return next((n for n in sizes if per_expert * expected_experts(n_expert, top_k, n) <= per_token * n), 0)


def probe(context: Context, n_tokens: int, n_vocab: int) -> Probe:
    """Run a context whose experts are borrowed from `n_tokens` on, with one token less and with as many.

    Errors: SessionError where nothing is borrowed. Tokens and position are the context's to forget.
    """
    tokens = np.random.default_rng(0).integers(0, n_vocab, n_tokens).astype(np.int32)
    few = min(_ns(context, tokens[1:], Sizes(most=n_tokens - 1)) for _ in range(PASSES))
    many = min(_ns(context, tokens, Sizes(least=n_tokens)) for _ in range(PASSES))
    return Probe(n_tokens, few, many)


def _ns(context: Context, tokens: NDArray[np.int32], sizes: Sizes) -> int:
    """What devices spend in operations of these sizes for one ubatch."""
    if not isinstance(context, TimesSizes):
        raise SessionError("nothing is borrowed here, so there is nothing to measure")
    before_ns = context.ns_by_sizes().get(sizes, 0)
    context.run(tokens, 0, "none")
    return context.ns_by_sizes().get(sizes, 0) - before_ns
