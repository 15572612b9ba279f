"""From how many tokens on borrowing experts pays, worked out by hand and by definition."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import SessionError
from harness.core.paying import Probe, pays_from, probe
from harness.core.program.costs import expected_experts
from harness.core.program.op import Sizes

HAND = [(45, 9, 5), (50, 9, 5), (51, 9, 6), (45, 4, 0), (1, 9, 1)]


@pytest.mark.parametrize(("borrower_ns", "most", "expected"), HAND)
def test_where_all_experts_are_used_copying_takes_the_same_for_any_number_of_tokens(
    borrower_ns: int, most: int, expected: int
) -> None:
    assert pays_from(Probe(11, lender_ns=100, borrower_ns=borrower_ns), 4, 4, most) == expected


def test_few_tokens_copy_fewer_experts() -> None:
    used = [expected_experts(128, 8, n) for n in (16, 128)]
    assert used[0] < 0.7 * used[1]
    as_dear = Probe(128, lender_ns=127_000, borrower_ns=30_000)
    assert pays_from(as_dear, 128, 8, 512) < pays_from(as_dear, 8, 8, 512) == 30


@given(
    lender_ns=st.integers(1, 10**9),
    borrower_ns=st.integers(1, 10**9),
    n_expert=st.integers(1, 64),
    share=st.floats(0, 1),
)
def test_what_pays_for_some_tokens_pays_for_more(lender_ns: int, borrower_ns: int, n_expert: int, share: float) -> None:
    top_k = max(1, round(share * n_expert))
    first = pays_from(Probe(32, lender_ns, borrower_ns), n_expert, top_k, 64)

    def pays(n: int, slack: float) -> bool:
        copied = borrower_ns * expected_experts(n_expert, top_k, n) / expected_experts(n_expert, top_k, 32)
        return copied <= lender_ns * n / 31 * (1 + slack)

    assert all(pays(n, 1e-9) for n in range(first or 65, 65))
    assert not any(pays(n, -1e-9) for n in range(1, first or 65))


class Scripted:
    """A context whose devices take what they are told, slower the first time."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int, str]] = []
        self.spent = {Sizes(most=7): 5, Sizes(least=8): 7}

    def run(self, tokens: Any, position: int, logits_of: Any) -> None:
        self.calls.append((len(tokens), position, logits_of))
        sizes = Sizes(least=8) if len(tokens) >= 8 else Sizes(most=7)
        self.spent[sizes] += 100 * len(tokens) // len(self.calls)

    def ns_by_sizes(self) -> Mapping[Sizes, int]:
        return dict(self.spent)

    def expert_counts(self) -> Any:
        return np.zeros((0, 0), np.int64)

    def close(self) -> None: ...


def test_a_probe_takes_the_faster_of_two_runs_on_either_side_of_the_threshold() -> None:
    context = Scripted()
    assert probe(context, 8, 331) == Probe(8, lender_ns=350, borrower_ns=200)
    assert context.calls == [(7, 0, "none"), (7, 0, "none"), (8, 0, "none"), (8, 0, "none")]


def test_a_context_that_borrows_nothing_cannot_be_probed() -> None:
    class Plain:
        run = expert_counts = close = None

    with pytest.raises(SessionError, match="nothing is borrowed here"):
        probe(Plain(), 8, 331)  # type: ignore[arg-type]
