"""Whatever is asked for, every byte is placed once."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.gguf import open_gguf
from harness.core.models import Model, read_model
from harness.core.options import Options
from harness.core.plan import Plan, make_plan

FILES = [
    ("tiny-llama", {}),
    ("tiny-gpt-oss", {}),
    ("tiny-gpt-oss-merged", {}),
    ("tiny-qwen3moe", {}),
    ("mixtral", {"formats": {"default": "Q4_1"}, "experts": "single"}),
    ("gpt-oss", {"formats": {"default": "Q8_0"}, "n_files": 3, "n_ff": 96, "n_expert": 5}),
]

options = st.builds(
    Options,
    devices=st.sampled_from([("reference",), ("reference-q8",)]),
    merge_up_gate=st.booleans(),
    merge_qkv=st.booleans(),
    merge_up_gate_shared=st.booleans(),
    layout=st.sampled_from(["auto", "mapped"]),
    layers=st.sampled_from([None, 1, 2]),
)


@pytest.fixture(scope="module")
def models(made: Any) -> list[Model]:
    paths = [made(name, **how) for name, how in FILES]
    firsts = [path if path.exists() else next(path.parent.glob(f"{path.stem}-00001*")) for path in paths]
    return [read_model(open_gguf(path)) for path in firsts]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(index=st.integers(0, len(FILES) - 1), options=options)
def test_every_byte_of_the_model_is_placed_exactly_once(models: list[Model], index: int, options: Options) -> None:
    model = models[index]
    plan = make_plan(model, options)
    _destinations_are_filled_without_gap_or_overlap(plan)
    assert _read_ranges(plan) == _wanted_ranges(model, plan)


def _destinations_are_filled_without_gap_or_overlap(plan: Plan) -> None:
    for stored in plan.tensors:
        end = 0
        for piece in stored.pieces:
            assert piece.dest_offset == end
            assert piece.n_bytes > 0
            end += piece.n_bytes
        assert end == stored.n_bytes


def _read_ranges(plan: Plan) -> list[tuple[int, int, int]]:
    """Ranges of the files that are read, adjacent ones joined; they must not overlap."""
    pieces = sorted(
        (piece.shard, piece.file_offset, piece.file_offset + piece.n_bytes)
        for stored in plan.tensors
        for piece in stored.pieces
    )
    for left, right in pairwise(pieces):
        assert left[0] != right[0] or left[2] <= right[1]
    return _joined(pieces)


def _wanted_ranges(model: Model, plan: Plan) -> list[tuple[int, int, int]]:
    n_layer = len(plan.layer_devices)
    kept = [t for t in model.file.tensors.values() if not t.name.startswith("blk.") or _layer(t.name) < n_layer]
    return _joined(sorted((t.shard, t.offset, t.offset + t.n_bytes) for t in kept))


def _layer(name: str) -> int:
    return int(name.split(".")[1])


def _joined(ranges: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    joined: list[tuple[int, int, int]] = []
    for shard, start, end in ranges:
        if joined and joined[-1][0] == shard and joined[-1][2] == start:
            joined[-1] = (shard, joined[-1][1], end)
        else:
            joined.append((shard, start, end))
    return joined
