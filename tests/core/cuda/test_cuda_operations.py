"""Every operation on the emulated device against the q8 reference: ragged shapes, all schedules, the checker on."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from probing import activated

from harness.core.cuda.api import Address, KernelName, Launch, Properties
from harness.core.cuda.backend import CudaBackend
from harness.core.cuda.context import OPS
from harness.core.cuda.emulator.device import EmulatedDevice, Schedule
from harness.core.cuda.launches import Extent
from harness.core.cuda.proof import N_CTX, UBATCH, Proof, ReferenceSide, load_model
from harness.core.cuda.sources import KERNELS, formats
from harness.core.formats.table import BY_NAME
from harness.core.options import Options
from harness.core.reference.activations import activate

PRESETS = ("tiny-gpt-oss", "tiny-qwen3moe", "tiny-llama", "tiny-mixtral")
RUNS = [(1, 0), (7, 3), (9, 255), (65, 11), (1, 270)]
"""(tokens, position): one token, a ragged few, across a chunk of keys, by mma, and decoding in the second chunk."""

Device = Callable[..., EmulatedDevice]
Made = Callable[..., Path]


@pytest.fixture(scope="module")
def reference(made: Made) -> Callable[..., ReferenceSide]:
    """reference(preset, **options), each once, since its traces are kept."""
    return cache(lambda preset, **options: ReferenceSide(made(preset), **options))


def wrong(proof: Proof, n_tokens: int, position: int) -> list[str]:
    return [str(finding) for finding in proof.findings(n_tokens, position) if not finding.is_right]


@pytest.mark.parametrize("schedule", list(Schedule))
@pytest.mark.parametrize("preset", PRESETS)
def test_every_operation_agrees_with_the_reference_under_every_schedule(
    preset: str, schedule: Schedule, device: Device, reference: Callable[..., ReferenceSide]
) -> None:
    proof = Proof(device(schedule, seed=3), reference(preset))
    runs = RUNS if schedule is Schedule.FORWARD else RUNS[2:]
    for n_tokens, position in runs:
        assert n_tokens <= UBATCH
        assert position + n_tokens <= N_CTX
        assert wrong(proof, n_tokens, position) == []
    assert {"embed", "rms_norm", "qkv", "attention", "attn_out", "logits"} < {op.name for op in proof.program.ops}


@pytest.mark.parametrize(
    "types", [{"type_k": "q8_0"}, {"type_v": "q8_0"}, {"type_k": "q8_0", "type_v": "q8_0"}], ids=str
)
@pytest.mark.parametrize("preset", ["tiny-gpt-oss", "tiny-qwen3moe"])
def test_a_quantised_cache_keeps_and_gives_back_what_the_reference_does(
    preset: str, types: dict[str, str], device: Device, made: Made
) -> None:
    proof = Proof(device(Schedule.RANDOM, seed=2), ReferenceSide(made(preset), **types))
    for n_tokens, position in ((9, 255), (1, 3)):
        found = list(proof.findings(n_tokens, position, only=("qkv", "attention")))
        assert [str(finding) for finding in found if not finding.is_right] == []
        assert sum(finding.what in ("keys", "values") for finding in found) >= 4


@pytest.mark.parametrize(("n_head", "n_head_kv", "head_dim"), [(12, 1, 24), (5, 5, 20), (8, 2, 160)])
def test_heads_of_any_number_and_width_have_the_bits_of_the_reference(
    n_head: int, n_head_kv: int, head_dim: int, device: Device, made: Made
) -> None:
    shape = {"n_head": n_head, "n_head_kv": n_head_kv, "head_dim": head_dim}
    path = made("llama", {"default": "F32"}, n_layer=1, n_vocab=331, **shape)
    found = list(Proof(device(), ReferenceSide(path)).findings(3, 255, only=("attention",)))
    assert [str(finding) for finding in found if not finding.is_right] == []


@pytest.mark.parametrize("schedule", list(Schedule))
@pytest.mark.parametrize(
    ("preset", "types"),
    [("tiny-gpt-oss", {}), ("tiny-qwen3moe", {"type_k": "q8_0", "type_v": "q8_0"})],
    ids=["f16", "q8_0"],
)
def test_attention_by_f16_mma_is_near_the_reference_under_every_schedule(
    preset: str, types: dict[str, str], schedule: Schedule, device: Device, reference: Callable[..., ReferenceSide]
) -> None:
    proof = Proof(device(schedule, seed=3), reference(preset, flash_attn=True, **types))
    for n_tokens, position in ((65, 11), (9, 255)):
        found = list(proof.findings(n_tokens, position, only=("attention",)))
        assert [str(finding) for finding in found if not finding.is_right] == []
        assert {finding.distance > 0 for finding in found if finding.what == "result"} == {True}  # it was not exact


class Turing(EmulatedDevice):
    """Copies to shared memory do not travel by themselves there."""

    @property
    def properties(self) -> Properties:
        return replace(super().properties, compute_capability=75)


def attended(device: EmulatedDevice, reference: ReferenceSide) -> tuple[str, Any]:
    """The entry that the last layer's attention launches, and what it gives, near the reference's."""
    proof, n_tokens, position = Proof(device, reference), 66, 170
    found = list(proof.findings(n_tokens, position, only=("attention",)))
    assert [str(finding) for finding in found if not finding.is_right] == []
    op = next(op for op in reversed(proof.program.ops) if op.name == "attention")
    launches = proof._context.begin(Extent(n_tokens, 1, 0))
    OPS["attention"](launches, op)
    n_bytes = n_tokens * int(op.params["n_head"]) * int(op.params["head_dim_v"]) * 4
    result = device.download(proof._context.rooms.value(op.outputs[0]), n_bytes)
    return launches.collected[0].kernel.entry, result


@pytest.mark.parametrize(
    "types", [{"type_k": "q8_0"}, {"type_v": "q8_0"}, {"type_k": "q8_0", "type_v": "q8_0"}], ids=str
)
@pytest.mark.parametrize("width", [64, 128])
def test_codes_of_a_cache_that_travel_become_the_halves_of_those_that_are_loaded_at_once(
    width: int, types: dict[str, str], wide_window: Path, made: Made
) -> None:
    """Heads of 64 with windows, and heads of 96 in tiles of 128 columns."""
    narrow = made("llama", {"default": "F32"}, n_layer=1, n_vocab=331, n_head=5, n_head_kv=1, head_dim=96)
    reference = ReferenceSide(wide_window if width == 64 else narrow, flash_attn=True, **types)
    travelling = EmulatedDevice(checked=True, schedule=Schedule.RANDOM)
    entry, by_copies = attended(travelling, reference)
    assert travelling.reports() == ""
    plain, at_once = attended(Turing(), reference)
    assert (entry, plain) == (f"attention_mma_{width}_q8", f"attention_mma_{width}")
    assert np.array_equal(by_copies, at_once)


@pytest.mark.parametrize("flash", [False, True])
def test_a_window_wider_than_a_tile_is_seen_to_its_edges(flash: bool, device: Device, wide_window: Path) -> None:
    proof = Proof(device(), ReferenceSide(wide_window, flash_attn=flash))
    found = [each for run in ((66, 170), (9, 215)) for each in proof.findings(*run, only=("attention",))]
    assert [str(finding) for finding in found if not finding.is_right] == []


@pytest.mark.parametrize(
    ("n_head", "n_head_kv", "head_dim", "is_exact"),
    [(5, 1, 128, False), (3, 3, 24, False), (16, 2, 72, False), (66, 1, 32, True), (2, 1, 20, True), (2, 1, 136, True)],
)
def test_heads_that_fit_no_tile_are_attended_to_exactly(
    n_head: int, n_head_kv: int, head_dim: int, is_exact: bool, device: Device, made: Made
) -> None:
    shape = {"n_head": n_head, "n_head_kv": n_head_kv, "head_dim": head_dim}
    path = made("llama", {"default": "F32"}, n_layer=1, n_vocab=331, **shape)
    proof = Proof(device(), ReferenceSide(path, flash_attn=True))
    for n_tokens, position in ((66, 40), (2, 0), (1, 70)):
        result, behind = proof.findings(n_tokens, position, only=("attention",))
        assert result.is_right, str(result)
        assert behind.is_right, str(behind)
        assert (result.distance == 0) == (is_exact or n_tokens == 1)


@pytest.mark.parametrize(
    ("formats_of", "launches"),
    [({}, 1), ({"attn_v": "Q4_K"}, 2), ({"attn_k": "F16"}, 2)],
    ids=["one", "two quantised", "plain among them"],
)
def test_projections_of_one_format_are_one_launch_and_of_two_are_two(
    formats_of: dict[str, str], launches: int, device: Device, made: Made
) -> None:
    path = made("llama", {"default": "Q8_0", **formats_of}, n_layer=1, n_embd=256, n_vocab=331)
    proof = Proof(device(), ReferenceSide(path, merge_qkv=False))
    for n_tokens in (3, 20, 66):
        found = list(proof.findings(n_tokens, 4, only=("qkv",)))
        assert [str(finding) for finding in found if not finding.is_right] == []
    op = next(op for op in proof.program.ops if op.name == "qkv")
    collected = proof._context.begin(Extent(1, 1, 1))
    OPS["qkv"](collected, op)
    entries = [launch.kernel.entry for launch in collected.collected]
    assert sorted(entries) == ["place_heads", *["product"] * launches, "quantize"]


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("path_kind", ["grouped", "per_expert"])
def test_every_way_through_the_experts_agrees_with_the_reference(
    merged: bool, fused: bool, path_kind: str, device: Device, made: Made
) -> None:
    options = {"merge_up_gate": merged, "fused_moe": fused, "moe_path": path_kind}
    proof = Proof(device(), ReferenceSide(made("tiny-gpt-oss"), **options))
    found = list(proof.findings(5, 2, only=("moe_up_gate", "moe_down")))
    assert [str(finding) for finding in found if not finding.is_right] == []
    assert len(found) == 3 * 2 * 2


@pytest.mark.parametrize("name", sorted(formats()))
def test_every_format_agrees_with_the_reference_in_every_role(name: str, device: Device, made: Made) -> None:
    """Rows of quantised experts are columns of others, so they fill tiles; those of plain floats do not here."""
    is_plain = BY_NAME[name].group == 0
    n_ff = 40 if is_plain else 512
    path = made("qwen3moe", {"default": name}, n_layer=1, n_embd=256, n_ff=n_ff, n_vocab=331, n_expert=5, top_k=2)
    proof = Proof(device(Schedule.RANDOM, seed=1), ReferenceSide(path))
    for n_tokens in (3, 9) if is_plain else (3,):
        assert wrong(proof, n_tokens, 1) == []


@pytest.mark.parametrize("arch", ["qwen3moe", "gpt-oss"])
def test_sums_over_more_experts_than_a_softmax_has_lanes_have_the_bits_of_the_reference(
    arch: str, device: Device, made: Made
) -> None:
    path = made(arch, {"default": "Q8_0"}, n_layer=1, n_vocab=331, n_expert=40, top_k=20)
    found = list(Proof(device(), ReferenceSide(path)).findings(40, 2, only=("route",)))
    assert [str(finding) for finding in found if not finding.is_right] == []
    assert len(found) == 2


@pytest.mark.parametrize("kind", ["swiglu", "swiglu_oai"])
def test_activations_have_the_bits_of_the_reference_over_the_whole_range_of_exp(kind: str, device: Device) -> None:
    edges = [-90.0, -88.0, -87.0, -86.99, -7.0, -0.0, 0.0, 1e-30, 6.99, 7.0, 7.01, 87.0, 88.0, 88.5, 200.0]
    gate = np.concatenate([np.linspace(-100, 100, 4001), edges]).astype(np.float32)
    up = np.linspace(-9, 9, gate.size, dtype=np.float32)
    assert np.array_equal(activated(device(), kind, gate, up), activate(kind, gate, up))


def test_ties_go_to_the_lower_expert(device: Device) -> None:
    logits = np.array([[1.0, 3.0, 3.0, 0.0, 3.0], [2.0] * 5], np.float32)
    emulated = device()
    found, ids, weights, counts = (Address(emulated.allocate(40, "ties")) for _ in range(4))
    emulated.upload(found, logits)
    emulated.upload(counts, np.zeros(5, np.int32))
    args = (found, np.int32(5), np.int32(3), np.int32(2), np.int32(0), np.float32(1.0), ids, weights, counts)
    emulated.launch(Launch(KernelName("route", "choose_experts"), (2, 1, 1), 32, args))
    assert emulated.download(ids, 24).view(np.int32).tolist() == [1, 2, 4, 0, 1, 2]
    assert emulated.download(counts, 20).view(np.int32).tolist() == [1, 2, 2, 0, 1]


def test_the_ways_through_the_experts_do_not_change_a_bit(made: Made, session: Callable[..., Any]) -> None:
    """Fused, what goes to down are codes; otherwise floats, quantised in a launch of their own."""
    tokens = np.random.default_rng(1).integers(0, 300, 9)
    first, *rest = [
        session(
            made("tiny-gpt-oss"), "cuda-emulated:0", fused_moe=fused, merge_up_gate=merged, moe_path=path_kind
        ).logits(tokens)
        for fused in (True, False)
        for merged in (False, True)
        for path_kind in ("grouped", "per_expert")
    ]
    assert all(np.array_equal(first, other) for other in rest)


def logits_of(device: EmulatedDevice, path: Path, n_tokens: int, *, fused: bool) -> Any:
    options = Options(devices=("cuda:0",), n_ctx=n_tokens, ubatch=n_tokens, fused_moe=fused)
    backend = CudaBackend(device)
    context = backend.context(load_model(path, options, backend), options)
    assert len(context.wanted) == 3 + fused  # two norms and attention; the activation of experts
    return context.run(np.arange(n_tokens, dtype=np.int32), 0, "all")


@pytest.mark.parametrize("schedule", list(Schedule))
@pytest.mark.parametrize("n_tokens", [3, 9, 66])
def test_activations_that_gate_and_up_leave_as_codes_are_those_of_a_launch_of_their_own(
    n_tokens: int, schedule: Schedule, device: Device, made: Made
) -> None:
    """By rows and by both tiles on tensor cores; the last are staged in shared memory, where a race would show."""
    path = made("tiny-gpt-oss", layers=1)
    expected = logits_of(EmulatedDevice(), path, n_tokens, fused=False)
    assert np.array_equal(logits_of(device(schedule, seed=6), path, n_tokens, fused=True), expected)


@pytest.mark.parametrize(
    ("file", "text", "instead"),
    [
        (
            "experts_mma.cuh",
            "if (act_codes == nullptr) return;\n    __syncthreads();",
            "if (act_codes == nullptr) return;",
        ),
        ("experts_mma.cuh", "block < 2 * count", "block < count"),
        ("experts_mma.cuh", "codes[at] = number.code;", "codes[at ^ 32] = number.code;"),
        ("experts_mma.cuh", "if (first_column + block % 2 * 32 >= n_ff) continue;", ""),
        ("norm.cu", "codes[row + i] = number.code;", "codes[row + (i ^ 32)] = number.code;"),
        ("norm.cu", "if (y != nullptr) y[row + i] = value;", "if (codes == nullptr) y[row + i] = value;"),
        ("attention.cu", "scales[at / 32] = number.scale;", "scales[(at / 32) ^ 1] = number.scale;"),
    ],
)
def test_a_bug_in_codes_that_are_left_is_caught(file: str, text: str, instead: str, made: Made, tmp_path: Path) -> None:
    sources = shutil.copytree(KERNELS, tmp_path / "kernels")
    source = sources / file
    assert text in source.read_text()
    source.write_text(source.read_text().replace(text, instead))
    path = made("tiny-gpt-oss", layers=1)
    right, broken = EmulatedDevice(), EmulatedDevice(checked=True, sources=sources)
    with np.errstate(invalid="ignore"):
        found = logits_of(broken, path, 66, fused=True)
    assert broken.reports() or not np.array_equal(found, logits_of(right, path, 66, fused=True))


def flash_logits(device: EmulatedDevice, path: Path, *, leaves_codes: bool) -> Any:
    """Of 70 tokens through f16 attention, which leaves attn_out codes, or floats that a launch quantises."""
    options = Options(devices=("cuda:0",), n_ctx=80, ubatch=70, flash_attn=True)
    backend = CudaBackend(device)
    context = backend.context(load_model(path, options, backend), options)
    if not leaves_codes:
        context.wanted = {}
    by_op = context.launches_by_op(Extent(70, 1, 70))
    of_attention = [
        [launch.kernel.entry for launch in own]
        for op, own in zip(context._program.ops, by_op, strict=True)
        if op.name in ("attention", "attn_out")
    ]
    assert [len(own) for own in of_attention] == ([1, 1] if leaves_codes else [1, 2]), of_attention
    return context.run(np.arange(70, dtype=np.int32), 0, "all")


@pytest.mark.parametrize("schedule", [Schedule.FORWARD, Schedule.RANDOM])
@pytest.mark.parametrize(("n_head", "n_head_kv", "head_dim"), [(5, 1, 96), (12, 4, 32), (4, 2, 128)])
def test_codes_that_f16_attention_leaves_are_those_of_a_launch_of_their_own(
    n_head: int, n_head_kv: int, head_dim: int, schedule: Schedule, device: Device, made: Made
) -> None:
    shape = {"n_head": n_head, "n_head_kv": n_head_kv, "head_dim": head_dim}
    path = made("llama", {"default": "Q8_0"}, n_layer=1, n_vocab=331, **shape)
    expected = flash_logits(EmulatedDevice(), path, leaves_codes=False)
    assert np.array_equal(flash_logits(device(schedule, seed=6), path, leaves_codes=True), expected)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("result.codes + at + i * 4", "result.codes + at + (i ^ 2) * 4"),
        ("result.scales[at / 32] =", "result.scales[(at / 32) ^ 1] ="),
        ("step_of(largest_of_four(largest))", "step_of(largest)"),
        ("!is_somebodys || block * 32", "(!is_somebodys && false) || block * 32"),
        ("block * 32 >= head_dim_v", "block * 32 >= head_dim_v + 32"),
        ("low | high << 8", "high | low << 8"),
    ],
)
def test_a_bug_in_codes_that_f16_attention_leaves_is_caught(
    text: str, instead: str, made: Made, tmp_path: Path
) -> None:
    """Groups of five leave rows that are nobody's, heads of 96 columns that no head has."""
    sources = shutil.copytree(KERNELS, tmp_path / "kernels")
    source = sources / "attention_mma.cu"
    assert text in source.read_text()
    source.write_text(source.read_text().replace(text, instead))
    shape = {"n_head": 5, "n_head_kv": 1, "head_dim": 96}
    path = made("llama", {"default": "Q8_0"}, n_layer=1, n_vocab=331, **shape)
    broken = EmulatedDevice(checked=True, sources=sources)
    with np.errstate(invalid="ignore"):
        found = flash_logits(broken, path, leaves_codes=True)
    assert broken.reports() or not np.array_equal(found, flash_logits(EmulatedDevice(), path, leaves_codes=True))
