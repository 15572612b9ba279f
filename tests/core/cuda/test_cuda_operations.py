"""Every operation on the emulated device against the q8 reference: ragged shapes, all schedules, the checker on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.cuda.api import Address, KernelName, Launch
from harness.core.cuda.emulator.device import EmulatedDevice, Schedule
from harness.core.cuda.proof import N_CTX, UBATCH, Proof, ReferenceSide
from harness.core.cuda.sources import formats

PRESETS = ("tiny-gpt-oss", "tiny-qwen3moe", "tiny-llama", "tiny-mixtral")
RUNS = [(1, 0), (7, 3), (9, 255), (65, 11), (1, 270)]
"""(tokens, position): one token, a ragged few, across a chunk of keys, by mma, and decoding in the second chunk."""

Device = Callable[..., EmulatedDevice]
Made = Callable[..., Path]


@pytest.fixture(scope="module")
def reference(made: Made) -> Callable[[str], ReferenceSide]:
    known: dict[str, ReferenceSide] = {}
    return lambda preset: known.setdefault(preset, ReferenceSide(made(preset)))


def wrong(proof: Proof, n_tokens: int, position: int) -> list[str]:
    return [str(finding) for finding in proof.findings(n_tokens, position) if not finding.is_right]


@pytest.mark.parametrize("schedule", list(Schedule))
@pytest.mark.parametrize("preset", PRESETS)
def test_every_operation_agrees_with_the_reference_under_every_schedule(
    preset: str, schedule: Schedule, device: Device, reference: Callable[[str], ReferenceSide]
) -> None:
    proof = Proof(device(schedule, seed=3), reference(preset))
    runs = RUNS if schedule is Schedule.FORWARD else RUNS[2:]
    for n_tokens, position in runs:
        assert n_tokens <= UBATCH
        assert position + n_tokens <= N_CTX
        assert wrong(proof, n_tokens, position) == []
    assert {"embed", "rms_norm", "qkv", "attention", "attn_out", "logits"} < {op.name for op in proof.program.ops}


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
    path = made("qwen3moe", {"default": name}, n_layer=1, n_embd=256, n_ff=512, n_vocab=331, n_expert=5, top_k=2)
    assert wrong(Proof(device(Schedule.RANDOM, seed=1), ReferenceSide(path)), 3, 1) == []


def test_ties_go_to_the_lower_expert(device: Device) -> None:
    logits = np.array([[1.0, 3.0, 3.0, 0.0, 3.0], [2.0] * 5], np.float32)
    emulated = device()
    found, ids, weights = (Address(emulated.allocate(40, "ties")) for _ in range(3))
    emulated.upload(found, logits)
    args = (found, np.int32(5), np.int32(3), np.int32(2), np.int32(0), np.float32(1.0), ids, weights)
    emulated.launch(Launch(KernelName("route", "choose_experts"), (2, 1, 1), 32, args))
    assert emulated.download(ids, 24).view(np.int32).tolist() == [1, 2, 4, 0, 1, 2]


def test_merging_and_the_path_through_the_experts_do_not_change_a_bit(made: Made, session: Callable[..., Any]) -> None:
    tokens = np.random.default_rng(1).integers(0, 300, 9)
    for fused in (True, False):
        ways = [
            session(made("tiny-gpt-oss"), "cuda-emulated:0", fused_moe=fused, merge_up_gate=merged, moe_path=path_kind)
            for merged in (False, True)
            for path_kind in ("grouped", "per_expert")
        ]
        first, *rest = [way.logits(tokens) for way in ways]
        assert all(np.array_equal(first, other) for other in rest)
