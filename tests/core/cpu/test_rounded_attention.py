"""Attention that rounds, for several tokens with `flash_attn`: near the exact one, and the same bits everywhere."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attention_lab import AttentionLab, Heads, Rows, attended, some_rows
from closeness import distance, median_distance
from cpu_lab import Floats, Slice, external_inputs, loaded, parts_of
from numpy.typing import NDArray
from rounded_definition import Rounded, rounded_attention, rounded_keys, rounded_queries, rounded_shares, rounded_values

Made = Callable[..., Path]
TOLERANCE = 1e-3
MOST_SUM = 2**31 - 1

SHAPES: Mapping[str, Heads] = {
    "heads of 64": Heads(4, 1, 64),
    "eight queries a key": Heads(8, 1, 64),
    "every head its own keys": Heads(3, 3, 64),
    "heads of 80": Heads(4, 2, 80),
    "heads of 96": Heads(4, 1, 96),
    "heads of 128": Heads(4, 1, 128),
    "heads of 256": Heads(1, 1, 256),
    "heads of 37, no whole pairs": Heads(2, 1, 37),
    "one column": Heads(2, 1, 1),
    "a window": Heads(4, 1, 64, window=100),
    "a window of a chunk and more": Heads(4, 1, 64, window=270),
    "a window of one": Heads(4, 1, 64, window=1),
    "sinks": Heads(4, 2, 64, has_sinks=True),
    "sinks and a window": Heads(8, 1, 64, window=128, has_sinks=True),
    "codes for keys": Heads(4, 1, 64, type_k="q8_0"),
    "codes for values": Heads(4, 1, 96, type_v="q8_0"),
    "codes for both": Heads(2, 1, 128, type_k="q8_0", type_v="q8_0"),
}
shapes = pytest.mark.parametrize("heads", SHAPES.values(), ids=SHAPES.keys())


@shapes
@pytest.mark.parametrize("cut", [(330,), (200, 130), (300, 2, 7)], ids=str)
def test_it_is_near_the_exact_one_and_not_it(heads: Heads, cut: tuple[int, ...], kernels: str) -> None:
    rows = some_rows(heads, sum(cut), spread=2.0)
    exact, rounded = (attended(heads, rows, rounds, cut, kernels) for rounds in (False, True))
    assert distance(rounded, exact) <= TOLERANCE
    assert max(distance(*pair) for pair in zip(rounded, exact, strict=True)) <= 2 * TOLERANCE
    if heads.window != 1:
        assert not np.array_equal(rounded, exact)


def test_it_is_near_the_exact_one_past_two_chunks(kernels: str) -> None:
    heads = Heads(2, 1, 64)
    rows = some_rows(heads, 630)
    exact, rounded = (attended(heads, rows, rounds, (600, 30), kernels) for rounds in (False, True))
    assert 0 < distance(rounded, exact) <= TOLERANCE


def wild(heads: Heads, n: int) -> Mapping[str, Rows]:
    """Queries, keys and values that a model may make and rounding may not like."""
    rows, single = some_rows(heads, n), some_rows(heads, n, seed=1, spread=0.1)
    outlier = np.ones(heads.columns[1], np.float32)
    outlier[3] = 200.0
    some = np.arange(n) % 3 == 0
    uneven = np.float32(10) ** np.random.default_rng(2).uniform(-4, 4, (n, 1)).astype(np.float32)
    return {
        "a channel of keys far above the others": rows._replace(k=rows.k * outlier, q=rows.q * np.float32(0.05)),
        "a channel of values far above the others": rows._replace(v=rows.v * outlier),
        "values of very different sizes": rows._replace(v=rows.v * uneven),
        "some values all zeros": rows._replace(v=np.where(some[:, None], 0, rows.v).astype(np.float32)),
        "some keys all zeros": rows._replace(k=np.where(some[:, None], 0, rows.k).astype(np.float32)),
        "some queries all zeros": rows._replace(q=np.where(some[:, None], 0, rows.q).astype(np.float32)),
        "values near float16's largest": rows._replace(v=np.clip(rows.v * 2e4, -65504, 65504).astype(np.float32)),
        "keys near float16's largest": Rows(
            single.q * np.float32(1e-3), np.clip(rows.k * 2e4, -65504, 65504).astype(np.float32), rows.v
        ),
        "queries near float32's largest": Rows(
            single.q * np.float32(1e36), (rows.k * np.float32(1e-7)).round(7).astype(np.float32), rows.v
        ),
        "tiny queries": rows._replace(q=rows.q * np.float32(1e-38)),
        "tiny values": rows._replace(v=rows.v * np.float32(1e-5)),
    }


WILD = Heads(2, 1, 64)


@pytest.mark.parametrize("name", wild(WILD, 1))
def test_outliers_zeros_and_huge_numbers_leave_it_near_the_exact_one(name: str, kernels: str) -> None:
    rows = wild(WILD, 300)[name]
    exact, rounded = (attended(WILD, rows, rounds, kernels=kernels) for rounds in (False, True))
    assert np.isfinite(rounded).all()
    assert distance(rounded, exact) <= TOLERANCE


def test_values_that_are_all_zeros_give_zeros(kernels: str) -> None:
    rows = some_rows(WILD, 20)
    assert not attended(WILD, rows._replace(v=np.zeros_like(rows.v)), True, kernels=kernels).any()


@shapes
def test_instruction_sets_threads_and_ubatches_change_no_bit(heads: Heads, kernels: str) -> None:
    rows = some_rows(heads, 320)
    scalar = attended(heads, rows, True, kernels="scalar")
    for threads, cut in ((1, (320,)), (2, (3, 130, 120, 2, 65)), (3, (320,)), (3, (257, 63))):
        np.testing.assert_array_equal(attended(heads, rows, True, cut, kernels, threads), scalar)


def test_wild_numbers_give_the_same_bits_by_every_instruction_set(kernels: str) -> None:
    for rows in wild(WILD, 40).values():
        np.testing.assert_array_equal(
            attended(WILD, rows, True, kernels=kernels), attended(WILD, rows, True, kernels="scalar")
        )


@pytest.mark.parametrize("what", [1e4, -6e4, np.inf, np.nan], ids=str)
def test_keys_and_values_of_later_tokens_change_no_bit(what: float, kernels: str) -> None:
    rows, seen = some_rows(WILD, 290), 270
    other = Rows(*(side.copy() for side in rows))
    other.k[seen:], other.v[seen:] = what, what
    first, second = (attended(WILD, given, True, kernels=kernels) for given in (rows, other))
    np.testing.assert_array_equal(first[:seen], second[:seen])
    assert not np.array_equal(first[seen:], second[seen:])


@pytest.mark.parametrize("kv", ["f16", "q8_0"])
@pytest.mark.parametrize("what", [np.inf, -np.inf, np.nan, 3e38], ids=str)
def test_what_is_no_number_harms_only_those_who_see_it(what: float, kv: str, kernels: str) -> None:
    heads = replace(WILD, type_k=kv, type_v=kv)
    for side in range(3):
        rows = some_rows(heads, 60)
        rows[side][40, 5] = what
        found = attended(heads, rows, True, kernels=kernels)
        np.testing.assert_array_equal(found[:40], attended(heads, some_rows(heads, 60), True, kernels=kernels)[:40])


def test_a_single_token_is_attended_to_exactly(kernels: str) -> None:
    rows, cut = some_rows(WILD, 270), (262, 1, 1, 1, 5)
    exact, rounded = (attended(WILD, rows, rounds, cut, kernels, threads=2) for rounds in (False, True))
    np.testing.assert_array_equal(rounded[262:265], exact[262:265])
    for several in (slice(0, 262), slice(265, 270)):
        assert not np.array_equal(rounded[several], exact[several])


def test_it_computes_its_definition_to_the_bit(kernels: str) -> None:
    for heads in (Heads(3, 1, 64), Heads(2, 1, 37), Heads(2, 1, 128, window=150)):
        rows = some_rows(heads, 280, spread=2.0)
        k, v = (side.astype(np.float16).astype(np.float32) for side in rows[1:])
        expected = rounded_attention(rows.q.reshape(len(k), heads.n_head, -1), k, v, heads.window)
        np.testing.assert_array_equal(attended(heads, rows, True, kernels=kernels), expected.reshape(len(k), -1))


def a_step_off(rounded: Rounded) -> Rounded:
    """That of one key or value."""
    steps = rounded.steps.copy()
    steps[7] = steps[8]
    return replace(rounded, steps=steps)


def columns_swapped(rounded: Rounded) -> Rounded:
    codes = rounded.codes.copy()
    codes[:, [2, 3]] = codes[:, [3, 2]]
    return replace(rounded, codes=codes)


def rows_swapped(rounded: Rounded) -> Rounded:
    codes = rounded.codes.copy()
    codes[[4, 5]] = codes[[5, 4]]
    return replace(rounded, codes=codes)


def a_bit_lost(rounded: Rounded) -> Rounded:
    return replace(rounded, codes=rounded.codes // 64 * 64)


MISTAKES: Mapping[str, dict[str, Any]] = {
    "the step of one key": {"keys_change": a_step_off},
    "the step of one value": {"values_change": a_step_off},
    "the step of one query's shares": {"shares_change": a_step_off},
    "two columns of the keys": {"keys_change": columns_swapped},
    "two keys of a pair": {"keys_change": rows_swapped},
    "two values of a pair": {"values_change": rows_swapped},
    "two shares of a pair": {"shares_change": columns_swapped},
    "low bits of shares": {"shares_change": a_bit_lost},
}


@pytest.mark.parametrize("name", [None, *MISTAKES])
def test_a_mistake_is_outside_the_tolerance(name: str | None) -> None:
    heads, n = Heads(2, 1, 64), 60
    rows = some_rows(heads, n, spread=2.0)
    k, v = (side.astype(np.float16).astype(np.float32) for side in rows[1:])
    found = rounded_attention(rows.q.reshape(n, 2, -1), k, v, **(MISTAKES[name] if name else {}))
    off = distance(found.reshape(n, -1), attended(heads, rows, False))
    assert off > TOLERANCE if name else off <= TOLERANCE / 3


@pytest.mark.parametrize("head_dim", [1, 2, 37, 64, 128, 512, 4096])
def test_no_sum_of_codes_can_overflow(head_dim: int) -> None:
    """Cauchy and Schwarz: codes of no norm above 46340 have no sum, whole or in part, above 46340^2."""
    random = np.random.default_rng(head_dim)
    hostile = [
        *(np.full((1, head_dim), x) for x in (1.0, 3e-5, 65504.0)),
        np.eye(1, head_dim) * 65504,
        random.standard_normal((200, head_dim)),
        random.standard_normal((200, head_dim)) ** 9,
        random.uniform(0.5, 1, (200, head_dim)),
    ]
    x = np.concatenate(hostile).clip(-65504, 65504).astype(np.float16).astype(np.float32)
    for rounded in (rounded_keys(x), rounded_queries(x, np.float32(1))):
        assert np.abs(rounded.codes).max() <= 32767
        assert (rounded.codes**2).sum(axis=1).max() <= MOST_SUM
    values = rounded_values(x)
    assert np.abs(values.codes).max() == 8191
    e = np.concatenate([np.ones((1, 256)), np.eye(1, 256), random.uniform(0, 1, (300, 256)) ** 3]).astype(np.float32)
    for steps in (np.ones(256), random.uniform(0, 1, 256), np.eye(1, 256)[0] + 1e-6):
        shares = rounded_shares(e, steps.astype(np.float32)).codes
        assert shares.max() <= 32767
        assert shares.sum(axis=1).max() * 8191 <= MOST_SUM


EXTREMES: Mapping[str, tuple[float, float]] = {"all equal": (1.0, 1.0), "opposite": (1.0, -1.0), "large": (40.0, 50.0)}


@pytest.mark.parametrize("head_dim", [64, 512])
@pytest.mark.parametrize("name", EXTREMES)
def test_sums_at_their_bounds_do_not_overflow(name: str, head_dim: int, kernels: str) -> None:
    """Norms are as large as they may be and products all of one sign, shares all equal, and values too."""
    heads, n = Heads(1, 1, head_dim), 256
    q, k = (np.full((n, head_dim), side, np.float32) for side in EXTREMES[name])
    rows = Rows(q, k, np.full((n, head_dim), 0.5, np.float32))
    assert distance(attended(heads, rows, True, kernels=kernels), rows.v) <= 1e-5


def test_one_share_above_all_others_does_not_overflow(kernels: str) -> None:
    heads, n = Heads(1, 1, 64), 256
    rows = Rows(*(np.ones((n, 64), np.float32) for _ in range(3)))
    rows.k[9] = 40.0
    rows.v[9] = -3.0
    found = attended(heads, rows, True, kernels=kernels)
    assert distance(found[9:], np.full((n - 9, 64), -3.0)) <= 1e-5


@pytest.mark.parametrize("types", [{}, {"type_k": "q8_0", "type_v": "q8_0"}], ids=["f16", "q8_0"])
def test_in_a_model_it_is_near_the_references(made: Made, kernels: str, types: dict[str, str]) -> None:
    how: dict[str, Any] = {"n_ctx": 320, "ubatch": 300, **types}
    path, tokens = made("tiny-qwen3moe"), prompt(300)
    with (
        loaded(path, "cpu:0", kernels, threads=2, flash_attn=True, **how) as on_cpu,
        loaded(path, "reference-q8", flash_attn=True, **how) as reference,
    ):
        truth = reference.context().trace(tokens, 0)
        for ops in parts_of(on_cpu.program):
            if ops[0].name != "qkv":
                continue
            part, a = Slice(on_cpu, ops[:2]), ops[1].outputs[0]
            part.run({name: truth[name] for name in external_inputs(ops[:2])}, tokens)
            assert 0 < distance(part.value(a, 300), truth[a]) <= TOLERANCE


def prompt(n: int) -> NDArray[np.int32]:
    return (np.arange(n, dtype=np.int32) * 37 + 11) % 300


def logits(path: Path, kernels: str = "", spans: tuple[int, ...] = (290,), **options: Any) -> Floats:
    with loaded(path, "cpu:0", kernels, **({"n_ctx": 320, "ubatch": 300, "flash_attn": True} | options)) as on_cpu:
        context, parts, position = on_cpu.context(), [], 0
        for n in spans:
            parts.append(context.run(prompt(290)[position : position + n], position, "all"))
            position += n
        return np.concatenate(parts)


@pytest.mark.parametrize("name", ["tiny-gpt-oss", "tiny-qwen3moe"])
def test_a_models_logits_are_the_same_to_the_bit_merged_cut_and_shared_out(made: Made, kernels: str, name: str) -> None:
    path = made(name)
    plain = logits(path, "scalar", threads=1)
    np.testing.assert_array_equal(logits(path, kernels, threads=1), plain)
    merged = {"merge_up_gate": True, "merge_qkv": True}
    np.testing.assert_array_equal(logits(path, kernels, (3, 130, 120, 2, 35), threads=2, **merged), plain)


@pytest.mark.parametrize("name", ["tiny-gpt-oss", "tiny-qwen3moe"])
def test_a_models_logits_are_near_those_without(made: Made, name: str) -> None:
    off = median_distance(logits(made(name)), logits(made(name), flash_attn=False))
    assert 0 < off <= 3e-2


def test_the_last_tokens_logits_do_not_depend_on_whose_others_are_wanted(made: Made) -> None:
    path = made("tiny-gpt-oss")
    with loaded(path, "cpu:0", n_ctx=320, ubatch=300, flash_attn=True, threads=2) as on_cpu:
        np.testing.assert_array_equal(on_cpu.context().run(prompt(290), 0, "last"), logits(path)[-1:])


def test_a_cache_of_many_positions_needs_no_more_scratch_than_its_queries(kernels: str) -> None:
    """A thousand tokens and more queries than a unit takes, on memory for one unit."""
    heads = Heads(16, 1, 16)
    lab = AttentionLab(heads, 1000, True, kernels)
    rows = some_rows(heads, 1000)
    assert distance(lab.run(rows), attended(heads, rows, False, kernels=kernels)) <= TOLERANCE
