"""Whatever is split over whatever devices, every byte of the model is where it is needed, and a matrix's only once."""

import re
from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from harness.core.errors import PlanError
from harness.core.gguf import open_gguf
from harness.core.models import Model, read_model
from harness.core.options import Options
from harness.core.plan import Plan, StoredTensor, make_plan

FILES = [
    ("tiny-llama", {}),
    ("tiny-gpt-oss", {}),
    ("tiny-gpt-oss-merged", {}),
    ("tiny-qwen3moe", {}),
    ("mixtral", {"formats": {"default": "Q4_1"}, "experts": "single"}),
    ("gpt-oss", {"formats": {"default": "Q8_0"}, "n_files": 3, "n_ff": 96, "n_expert": 5}),
]
DEVICES = ("reference", "cuda-emulated:0", "reference-q8:1", "cuda-emulated:3")
OVERRIDES = [
    (),
    ((r"ffn_.*_exps", "reference:7"), (r"\.attn_", "reference:8")),
    ((r"^blk\.0\.", "reference:7"), (r"^output", "reference:8"), (r"token_embd", "reference:7")),
]


@st.composite
def split_options(draw: st.DrawFn) -> Options:
    n = draw(st.integers(1, 4))
    split = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n).filter(any) | st.just([]))
    return Options(
        devices=DEVICES[:n],
        split_mode=draw(st.sampled_from(["none", "layer", "row", "graph"] if n > 1 else ["none", "layer"])),
        tensor_split=tuple(split),
        main_gpu=draw(st.integers(0, n - 1)),
        override_tensor=draw(st.sampled_from(OVERRIDES)),
        n_cpu_moe=draw(st.integers(0, 2)),
        n_cpu_moe_from=draw(st.sampled_from(["first", "last"])),
        merge_up_gate=draw(st.booleans()),
        merge_qkv=draw(st.booleans()),
        merge_up_gate_shared=draw(st.booleans()),
        layers=draw(st.sampled_from([None, 1, 2])),
    )


@pytest.fixture(scope="module")
def models(made: Any) -> list[Model]:
    paths = [made(name, **how) for name, how in FILES]
    firsts = [path if path.exists() else next(path.parent.glob(f"{path.stem}-00001*")) for path in paths]
    return [read_model(open_gguf(path)) for path in firsts]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(index=st.integers(0, len(FILES) - 1), options=split_options())
def test_every_byte_is_placed_and_a_matrix_is_placed_once_over_all_devices(
    models: list[Model], index: int, options: Options
) -> None:
    model = models[index]
    plan = _plan(model, options)
    for stored in plan.tensors:
        _destination_is_filled_without_gap_or_overlap(stored)
    wanted = [t for t in model.file.tensors.values() if _layer(t.name) < len(plan.layer_devices)]
    by_device = _times_read(plan, model)
    for tensor in wanted:
        span = slice(tensor.offset, tensor.offset + tensor.n_bytes)
        times = [read[tensor.shard][span] for read in by_device.values()]
        assert all(int(part.max()) <= 1 for part in times), f"{tensor.name} is twice on one device"
        total = np.sum(times, axis=0)
        assert int(total.min()) >= 1, f"{tensor.name} has bytes that are nowhere"
        if len(tensor.shape) > 1 and "gate_inp" not in tensor.name and not _is_bias(tensor.name):
            assert int(total.max()) == 1, f"{tensor.name} has bytes on two devices"


def _plan(model: Model, options: Options) -> Plan:
    """With the overrides that name something in this model."""
    rules = options.override_tensor
    kept = tuple(rule for rule in rules if any(re.search(rule[0], name) for name in model.file.tensors))
    return make_plan(model, replace(options, override_tensor=kept))


def _destination_is_filled_without_gap_or_overlap(stored: StoredTensor) -> None:
    end = 0
    for piece in stored.pieces:
        assert piece.dest_offset == end
        assert piece.n_bytes > 0
        assert piece.n_bytes == piece.n_runs * piece.run_bytes
        assert piece.n_runs == 1 or piece.run_bytes == stored.row_bytes
        end += piece.n_bytes
    assert end == stored.n_bytes


def _times_read(plan: Plan, model: Model) -> dict[str, dict[int, NDArray[np.uint8]]]:
    """By device and shard, how often each byte of the file is read."""
    sizes = [path.stat().st_size for path in model.file.shards]
    read: dict[str, dict[int, NDArray[np.uint8]]] = defaultdict(
        lambda: {shard: np.zeros(size, np.uint8) for shard, size in enumerate(sizes)}
    )
    for stored in plan.tensors:
        for piece in stored.pieces:
            start = read[stored.device][piece.shard][piece.file_offset :]
            runs = as_strided(start, (piece.n_runs, piece.run_bytes), (piece.stride, 1))
            runs += 1
    return read


def _layer(name: str) -> int:
    return int(name.split(".")[1]) if name.startswith("blk.") else -1


def _is_bias(name: str) -> bool:
    return name.endswith(".bias")


def test_a_graph_split_reads_its_slices_of_gate_and_up_straight_from_the_file(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    plan = make_plan(model, Options(devices=DEVICES[:2], split_mode="graph", merge_up_gate=True))
    counts = [share.count for share in plan.placement.layers[0].feed_forward.shares]
    assert counts == [96, 64]
    for device, count in zip(DEVICES[:2], counts, strict=True):
        merged = plan.tensor("blk.0.ffn_gate_up_exps.weight", device)
        assert merged.shape == (8, 2 * count, 288)
        assert [piece.tensor.split("_")[1] for piece in merged.pieces] == ["gate", "up"] * 8
        down = plan.tensor("blk.0.ffn_down_exps.weight", device)
        assert down.shape == (8, 288, count)
        assert len(down.pieces) == 1
    assert plan.holds("blk.0.ffn_down_exps.bias", DEVICES[0])
    assert not plan.holds("blk.0.ffn_down_exps.bias", DEVICES[1])


def test_experts_that_do_not_divide_are_cut_at_blocks(made: Any, model_of: Any) -> None:
    model = model_of(made("qwen3moe", {"default": "Q4_K"}, n_ff=768))
    plan = make_plan(model, Options(devices=DEVICES[:2], split_mode="graph"))
    assert [share.count for share in plan.placement.layers[0].feed_forward.shares] == [512, 256]


def test_fewer_kv_heads_than_devices_leave_a_device_without_attention(made: Any, model_of: Any) -> None:
    plan = make_plan(model_of(made("tiny-llama")), Options(devices=DEVICES[:3], split_mode="graph"))
    assert plan.placement.layers[0].attention.devices == DEVICES[:2]
    assert plan.placement.layers[0].feed_forward.devices == DEVICES[:3]


def test_a_format_with_row_headers_cannot_be_cut_by_columns_and_says_so(made: Any, model_of: Any) -> None:
    model = model_of(made("llama", {"default": "Q8_0", "ffn_down": "IQ4_KS"}, n_ff=512))
    with pytest.raises(PlanError, match=r"layer 0: blk\.0\.ffn_down\.weight is IQ4_KS, whose rows begin with a header"):
        make_plan(model, Options(devices=DEVICES[:2], split_mode="graph"))
    assert make_plan(model, Options(devices=DEVICES[:2], split_mode="row")).devices == DEVICES[:2]
