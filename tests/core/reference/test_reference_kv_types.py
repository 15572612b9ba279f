"""A KV cache of type q8_0: what is kept of a head, and that it changes logits a little."""

from typing import Any

import numpy as np
import pytest

from harness.core.errors import PlanError
from harness.core.options import Options
from harness.core.reference.state import through_q8_0
from harness.core.session import Session

TOKENS = [3, 141, 59, 26, 53, 58]


def logits(path: Any, **options: Any) -> Any:
    with Session.open(path, Options(**{"devices": ("reference",), "n_ctx": 16, "ubatch": 4, **options})) as session:
        return session.logits(TOKENS)


def test_a_block_keeps_whole_multiples_of_a_scale_in_f16() -> None:
    head = np.zeros((1, 1, 64), np.float32)
    head[0, 0, :3] = [-127, 63.4, 0.6]
    head[0, 0, 32:34] = [1, -1]
    kept = through_q8_0(head)[0, 0]
    np.testing.assert_array_equal(kept[:4], [-127, 63, 1, 0])
    scale = np.float32(np.float16(np.float32(1) / np.float32(127)))
    np.testing.assert_array_equal(kept[32:35], [127 * scale, -127 * scale, 0])


def test_an_empty_block_stays_empty() -> None:
    assert not through_q8_0(np.zeros((2, 3, 32), np.float32)).any()


@pytest.mark.parametrize(
    "types", [{"type_k": "q8_0"}, {"type_v": "q8_0"}, {"type_k": "q8_0", "type_v": "q8_0"}], ids=str
)
@pytest.mark.parametrize("name", ["tiny-gpt-oss", "tiny-llama"])
def test_logits_with_a_quantised_cache_are_near_those_with_f16(made: Any, name: str, types: dict[str, str]) -> None:
    plain, found = logits(made(name)), logits(made(name), **types)
    assert 0 < np.linalg.norm(found - plain) / np.linalg.norm(plain) < 2e-2


def test_merges_and_splits_leave_a_quantised_cache_as_it_is(made: Any) -> None:
    types = {"type_k": "q8_0", "type_v": "q8_0"}
    path = made("tiny-qwen3moe")
    plain = logits(path, devices=("reference-q8",), **types)
    np.testing.assert_array_equal(logits(path, devices=("reference-q8",), merge_qkv=True, **types), plain)
    split = logits(path, devices=("reference-q8", "reference-q8:1"), split_mode="layer", **types)
    np.testing.assert_array_equal(split, plain)


def test_heads_that_are_no_whole_blocks_are_refused(made: Any) -> None:
    path = made("llama", {"default": "F32"}, head_dim=16, n_head=6)
    with pytest.raises(PlanError, match="type_v q8_0 needs heads of a multiple of 32 numbers, not 16; use f16"):
        logits(path, type_v="q8_0")
