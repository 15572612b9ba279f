"""A session's promises: positions, contexts, errors, phases."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.core.errors import GgufError, SessionError
from harness.core.options import Options
from harness.core.reference import ReferenceBackend
from harness.core.session import Session

Open = Callable[..., Session]
TOKENS = list(range(20, 45))


def test_prefill_then_decode_continues_where_the_prompt_ended(made: Any, session: Open) -> None:
    opened = session(made("tiny-gpt-oss"), ubatch=8)
    whole = opened.logits(TOKENS)
    opened.reset()
    last = opened.prefill(TOKENS[:-1])
    assert last is not None
    np.testing.assert_array_equal(last, whole[-2:-1])
    np.testing.assert_array_equal(opened.decode(TOKENS[-1]), whole[-1])
    assert opened.position == len(TOKENS)


def test_logits_come_only_when_asked_for(made: Any, session: Open) -> None:
    opened = session(made("tiny-llama"), ubatch=8)
    assert opened.prefill(TOKENS, logits_of="none") is None
    assert opened.decode(3, logits=False) is None
    everything = opened.prefill(TOKENS, logits_of="all")
    assert everything is not None
    assert everything.shape == (len(TOKENS), 331)


def test_rewinding_forgets_what_came_after(made: Any, session: Open) -> None:
    opened = session(made("tiny-llama"))
    opened.prefill(TOKENS)
    first = opened.decode(7)
    opened.decode(8)
    opened.rewind(len(TOKENS))
    np.testing.assert_array_equal(opened.decode(7), first)
    with pytest.raises(SessionError, match="cannot rewind to position 99: the cache holds 26"):
        opened.rewind(99)


def test_many_contexts_share_weights_that_were_placed_and_merged_once(
    made: Any, session: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed: list[str] = []
    rows_in_place = ReferenceBackend.rows_in_place

    def counted(self: ReferenceBackend, tensor: Any) -> Any:
        placed.append(tensor.name)
        return rows_in_place(self, tensor)

    monkeypatch.setattr(ReferenceBackend, "rows_in_place", counted)
    opened = session(made("tiny-gpt-oss"), merge_up_gate=True)
    n_placed = len(placed)
    assert n_placed >= len(opened.plan.tensors)
    first = opened.logits(TOKENS)
    for n_ctx in (32, 128, 25):
        opened.new_context(n_ctx)
        assert (opened.position, opened.n_ctx) == (0, n_ctx)
        np.testing.assert_array_equal(opened.logits(TOKENS), first)
    assert len(placed) == n_placed


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        ([331], "token 331 is not in the vocabulary of 331"),
        ([-1], "token -1 is not in the vocabulary"),
        ([], "no tokens were given"),
        ([1] * 65, "65 tokens at position 0 do not fit into n_ctx 64"),
    ],
)
def test_tokens_that_cannot_be_processed_are_a_sentence(made: Any, session: Open, tokens: list[int], says: str) -> None:
    with pytest.raises(SessionError) as caught:
        session(made("tiny-llama")).prefill(tokens)
    assert says in str(caught.value)


def test_a_full_context_refuses_one_more_token_and_takes_it_after_a_reset(made: Any, session: Open) -> None:
    opened = session(made("tiny-llama"), n_ctx=25)
    opened.prefill(TOKENS)
    with pytest.raises(SessionError, match="1 tokens at position 25 do not fit"):
        opened.decode(1)
    opened.reset()
    assert opened.decode(1) is not None


def test_every_phase_of_loading_is_timed_and_counts_start_at_zero(made: Any, session: Open) -> None:
    opened = session(made("tiny-gpt-oss"))
    assert list(opened.phase_ns) == ["open", "metadata", "plan", "device", "read", "place", "first_token"]
    assert all(duration >= 0 for duration in opened.phase_ns.values())
    assert opened.position == 0
    assert not opened.expert_counts().any()


def test_a_dense_model_counts_no_experts(made: Any, session: Open) -> None:
    assert session(made("tiny-llama")).expert_counts().shape == (2, 0)


def test_a_damaged_file_is_an_error_and_not_a_crash(made: Any, tmp_path: Any) -> None:
    half = tmp_path / "half.gguf"
    half.write_bytes(made("tiny-llama").read_bytes()[:500_000])
    with pytest.raises(GgufError, match=r"half\.gguf"):
        Session.open(half, Options(devices=("reference",)))


def test_what_was_opened_is_closed_when_loading_fails(
    made: Any, session: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []
    monkeypatch.setattr(ReferenceBackend, "close", lambda _self: closed.append(True))
    monkeypatch.setattr(ReferenceBackend, "rows_in_place", lambda *_: (_ for _ in ()).throw(SessionError("no")))
    with pytest.raises(SessionError, match="no"):
        Session.open(made("tiny-llama"), Options(devices=("reference",)))
    assert closed == [True]
