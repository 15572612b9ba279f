"""Tiles are counted as products are launched: block by block, and as expected where the device alone knows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.cuda.backend import CudaBackend
from harness.core.cuda.emulator.device import EmulatedDevice
from harness.core.cuda.launches import Extent
from harness.core.cuda.tiling import expected_token_tiles, op_tiles
from harness.core.options import Options
from harness.core.plan import make_plan
from harness.core.program.build import build_program
from harness.core.program.costs import Load

Made = Callable[..., Path]
CHOICES = [
    {},
    {"merge_up_gate": True, "merge_qkv": True},
    {"fused_moe": False},
    {"fused_moe": False, "merge_up_gate": True},
    {"flash_attn": True, "moe_path": "per_expert", "fused_moe": False},
]


def counted(model: Any, load: Load, architecture: int | None, **choices: Any) -> dict[str, float]:
    """Tiles of every operation of the first layer and of the logits, by name."""
    plan = make_plan(model, Options(devices=("reference",), layers=1, **choices))
    program = build_program(model, plan)
    found = op_tiles(program, plan, load, architecture)
    return {op.name: tiles for op, tiles in zip(program.ops, found, strict=True)}


@pytest.mark.parametrize("choices", CHOICES, ids=str)
@pytest.mark.parametrize("preset", ["tiny-gpt-oss", "tiny-qwen3moe", "tiny-llama", "tiny-mixtral"])
def test_tiles_are_the_blocks_that_products_are_launched_with(
    preset: str, choices: dict[str, Any], made: Made, model_of: Any
) -> None:
    options = Options(devices=("cuda-emulated:0",), n_ctx=80, ubatch=66, **choices)
    model = model_of(made(preset))
    plan = make_plan(model, options)
    program, backend = build_program(model, plan), CudaBackend(EmulatedDevice())
    for tensor in plan.tensors:
        backend.allocate(tensor)
    context = backend.context(program, options)
    for n_tokens in (1, 4, 5, 17, 40, 66):
        found = op_tiles(program, plan, Load(n_tokens, 0, 1), backend.architecture)
        by_op = context.launches_by_op(Extent(n_tokens, 1, 1))
        for op, tiles, launches in zip(program.ops, found, by_op, strict=True):
            if not op.name.startswith("moe"):
                grids = [launch.grid for launch in launches if launch.kernel.source.startswith("product")]
                assert tiles == sum(x * y for x, y, _ in grids), op
                continue
            same = {launch.args[0]: launch for launch in launches if launch.kernel.source.startswith("experts")}
            assert tiles == pytest.approx(sum(tiles_of(launch, op.params, n_tokens) for launch in same.values()))


def tiles_of(launch: Any, params: Any, n_tokens: int) -> float:
    """Of one product of all experts: a launch for each of them has the same grid."""
    entry, (x, y, _) = launch.kernel.entry, launch.grid
    n_expert, top_k = int(params["n_expert"]), int(params["top_k"])
    *_, last = entry.split("_")
    if not last.isdigit():
        assert y == n_tokens * top_k
        return x * y * (1 + (entry == "expert_gate_up"))
    n_slots, row_tiles = (y, x) if "mma" not in entry else (x, y)
    expected = n_expert * expected_token_tiles(n_expert, top_k, n_tokens, int(last))
    assert expected <= n_slots
    return row_tiles * expected


def test_tiles_follow_the_shape_of_the_architecture_and_the_format(made: Made, model_of: Any) -> None:
    """With a scale per 16 weights cards from sm_80 to sm_90 take tiles of 32 tokens where others take 64."""
    shape = {"n_layer": 1, "n_embd": 256, "n_ff": 512, "n_vocab": 331, "n_expert": 5, "top_k": 2}
    models = {name: model_of(made("qwen3moe", {"default": name}, **shape)) for name in ("Q4_K", "Q6_K")}
    tiles = {
        (name, architecture): counted(model, Load(64), architecture)["attn_out"]
        for name, model in models.items()
        for architecture in (75, 86, 120, None)
    }
    rows = 256 // 128
    assert [tiles["Q4_K", each] for each in (75, 86, 120, None)] == [rows] * 4
    assert [tiles["Q6_K", each] for each in (75, 86, 120, None)] == [rows, 2 * rows, rows, 2 * rows]


def test_merging_saves_a_tile_where_halves_do_not_fill_theirs_and_fusing_as_well(made: Made, model_of: Any) -> None:
    """Twice 160 rows are four tiles of 128, and 320 are three; what is fused shares tiles, merged or not."""
    model = model_of(made("tiny-gpt-oss"))
    used = 8 * (1 - (5 / 8) ** 8)  # experts with a tile of tokens
    found = {
        (merged, fused): counted(model, Load(8), 86, merge_up_gate=merged, fused_moe=fused)["moe_up_gate"] / used
        for merged in (False, True)
        for fused in (False, True)
    }
    expected = {(False, False): 4, (True, False): 3, (False, True): 3, (True, True): 3}
    assert found == {key: pytest.approx(value) for key, value in expected.items()}


def test_tiles_of_tokens_are_those_of_a_binomial_distribution() -> None:
    assert expected_token_tiles(4, 4, 130, 64) == 3
    assert expected_token_tiles(8, 3, 1, 64) == pytest.approx(3 / 8)
    rng = np.random.default_rng(0)
    for tile in (16, 64):
        drawn = np.ceil(rng.binomial(300, 3 / 8, 200_000) / tile).mean()
        assert expected_token_tiles(8, 3, 300, tile) == pytest.approx(drawn, rel=0.01)
    assert expected_token_tiles(8, 4, 4096, 64) == pytest.approx(2048 / 64 + 0.5, rel=0.01), "nothing underflows"
