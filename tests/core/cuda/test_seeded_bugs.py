"""Bugs planted one at a time: each must be caught by the comparison, the checker, or the replay of a graph.

A bug that this suite does not notice is a hole in the proof, so every kernel has one of each kind it can have.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from probing import activated

from harness.core.cuda.api import Address, Graph, Launch
from harness.core.cuda.backend import CudaBackend
from harness.core.cuda.emulator.device import EmulatedDevice, EmulatedGraph, Schedule
from harness.core.cuda.proof import UBATCH, Proof, ReferenceSide, load_model
from harness.core.cuda.sources import KERNELS
from harness.core.errors import DeviceError
from harness.core.options import Options
from harness.core.reference.activations import activate

Made = Callable[..., Path]
GPT_OSS, QWEN3, LLAMA = "tiny-gpt-oss", "tiny-qwen3moe", "tiny-llama"
Q8_0 = (("type_k", "q8_0"), ("type_v", "q8_0"))
FLASH = (("flash_attn", True),)
BY_MMA = (65, 11)
"""Tokens and position of a run that multiplies by mma."""


@dataclass(frozen=True)
class Bug:
    """`text` of kernels/`file` becomes `instead`; operation `op` of a preset must notice."""

    name: str
    file: str
    text: str
    instead: str
    op: str
    preset: str = GPT_OSS
    n_tokens: int = 9
    position: int = 255
    options: tuple[tuple[str, Any], ...] = ()


BUGS = [
    Bug(
        "barrier removed: shares are read before they are there",
        "attention.cu",
        "is_seen ? share : 0.0f;\n    }\n    __syncthreads();",
        "is_seen ? share : 0.0f;\n    }",
        "attention",
    ),
    Bug(
        "barrier removed: queries are read before they are there",
        "attention.cu",
        "        __syncthreads();\n        if (key < 0)",
        "        if (key < 0)",
        "attention",
    ),
    Bug(
        "barrier removed: queries make way before they are read",
        "attention.cu",
        "        __syncthreads();\n        for",
        "        for",
        "attention",
    ),
    Bug(
        "shares added one after another",
        "attention.cu",
        "thread % 16; i < chunk; i += 16",
        "thread % 16 ? chunk : 0; i < chunk; i++",
        "attention",
    ),
    Bug("shares of the head beside", "attention.cu", "packed + h + i], v", "packed + h], v", "attention"),
    Bug("a last digit of the logarithm of 2", "arithmetic.cuh", "2.12194440e-4f", "2.1219e-4f", "attention"),
    Bug(
        "sums folded from the other end",
        "arithmetic.cuh",
        "int distance = 4; distance > 0; distance /= 2",
        "int distance = 1; distance < 8; distance *= 2",
        "rms_norm",
    ),
    Bug(
        "a head that nobody has is stored",
        "heads.cu",
        "index >= n_head + 2 * n_head_kv",
        "index >= n_head + 2 * n_head_kv + 1",
        "qkv",
    ),
    Bug(
        "keys normed as queries are",
        "heads.cu",
        "is_query ? q_norm : k_norm",
        "is_query ? k_norm : q_norm",
        "qkv",
        QWEN3,
    ),
    Bug(
        "barrier removed: a head is rotated before it is there",
        "heads.cu",
        "numbers[i] = from[first + i];\n    __syncwarp();",
        "numbers[i] = from[first + i];",
        "qkv",
        LLAMA,
    ),
    Bug(
        "barrier removed: a head is stored before it is rotated",
        "heads.cu",
        "    }\n    __syncwarp();\n}\n\n// To numbers",
        "    }\n}\n\n// To numbers",
        "qkv",
        LLAMA,
    ),
    Bug("values among the keys", "heads.cu", "is_value ? values : keys", "is_value ? keys : values", "qkv"),
    Bug(
        "rows of the matrix before",
        "parts.cuh",
        "return {b, (tile - until_b) * tile_rows}",
        "return {b, tile * tile_rows}",
        "qkv",
        n_tokens=1,
        position=3,
    ),
    Bug(
        "barrier removed: parts are read before they are there",
        "attention.cu",
        "of_warps[h * 8 + warp] = largest;\n    }\n    __syncthreads();",
        "of_warps[h * 8 + warp] = largest;\n    }",
        "attention",
    ),
    Bug(
        "barrier removed: a row is added before it is there",
        "norm.cu",
        "        __syncthreads();\n        if",
        "        if",
        "rms_norm",
    ),
    Bug("barrier removed: the norm's factor", "norm.cu", "    __syncthreads();\n    for", "    for", "rms_norm"),
    Bug(
        "barrier removed: a chosen expert is chosen again",
        "route.cu",
        "        __syncwarp();\n    }",
        "    }",
        "route",
        n_tokens=3,
        position=0,
    ),
    Bug(
        "row guard removed from products",
        "product.cu",
        "if (!has_sum() || row >= part.n_rows) return;",
        "if (!has_sum()) return;",
        "logits",
        n_tokens=3,
        position=0,
    ),
    Bug("column guard removed", "combine.cu", "    if (column >= n_columns) return;\n", "", "moe_down"),
    Bug(
        "token guard removed",
        "product.cu",
        "        if (first + i >= n_tokens) break;\n",
        "",
        "route",
        n_tokens=UBATCH,
        position=0,
    ),
    Bug(
        "block guard removed",
        "quantize.cu",
        "if (block >= n_blocks) return;",
        "if (block < -n_blocks) return;",
        "moe_down",
        n_tokens=UBATCH,
        position=0,
    ),
    Bug(
        "empty tiles are computed",
        "experts_mma.cuh",
        "tile.count == 0 || (only_expert",
        "(only_expert",
        "moe_up_gate",
    ),
    Bug(
        "all tiles of an expert begin at its first slot",
        "tiles.cu",
        "begin + i * tile_slots",
        "begin",
        "moe_up_gate",
        n_tokens=40,
        position=3,
    ),
    Bug(
        "an expert's last slot is in no tile",
        "tiles.cu",
        "n_slots - i * tile_slots)",
        "n_slots - i * tile_slots - 1)",
        "moe_down",
    ),
    Bug(
        "accumulator never set",
        "dot.cuh",
        "    if (warp == 0) sums[lane] = 0.0f;\n",
        "",
        "attn_out",
        n_tokens=1,
        position=3,
    ),
    Bug(
        "barrier removed: terms are added before they are there",
        "dot.cuh",
        "        __syncthreads();\n        if (warp != step",
        "        if (warp != step",
        "attn_out",
        n_tokens=1,
        position=3,
    ),
    Bug(
        "the last block is added twice",
        "dot.cuh",
        "min(step_blocks, n_blocks - step * step_blocks) * terms",
        "step_blocks * terms",
        "attn_out",
        n_tokens=1,
        position=3,
    ),
    Bug(
        "partial sums of plain floats in another lane",
        "dot.cuh",
        "int column = threadIdx.x % 8; column",
        "int column = threadIdx.x % 4; column",
        "route",
        n_tokens=1,
        position=3,
    ),
    Bug(
        "barrier removed: the codebook is read before it is there",
        "codebook.cuh",
        "    __syncthreads();\n",
        "",
        "moe_up_gate",
        QWEN3,
        3,
        0,
    ),
    Bug(
        "scale off by one block",
        "dot.cuh",
        "scales[index], now",
        "scales[index - (index > 0)], now",
        "attn_out",
        n_tokens=3,
    ),
    Bug(
        "wrong stride",
        "product.cu",
        "static_cast<size_t>(first + i) * part.n_rows",
        "static_cast<size_t>(first + i) * (part.n_rows - 1)",
        "ffn",
        LLAMA,
        3,
        3,
    ),
    Bug(
        "wrong stride of gate and up", "combine.cu", "* stride + column", "* (stride - 1) + column", "ffn", LLAMA, 9, 3
    ),
    Bug("window off by one", "attention.cu", "position + 1 - window", "position + 2 - window", "attention"),
    Bug(
        "the next token is seen",
        "attention.cu",
        "(index + 1) * chunk, position + 1)",
        "(index + 1) * chunk, position + 2)",
        "attention",
    ),
    Bug(
        "the second chunk is forgotten", "attention.cu", "index < n_chunks; index++", "index < 1; index++", "attention"
    ),
    Bug("sink lost", "attention.cu", "if (sinks != nullptr)", "if (false)", "attention"),
    Bug(
        "heads share the wrong keys",
        "attention.cu",
        "kv_head * group + from,",
        "kv_head + from * group,",
        "attention",
    ),
    Bug(
        "scale of the block beside",
        "kv_cache.cuh",
        "side.scales[at / 32]",
        "side.scales[(at + 8) / 32]",
        "attention",
        options=Q8_0,
    ),
    Bug(
        "scale of the cache not rounded to nearest",
        "heads.cu",
        "float_to_half(number.scale)",
        "float_to_half(number.scale) - 1",
        "qkv",
        options=Q8_0,
    ),
    Bug(
        "bias of products lost", "product.cu", "part.bias == nullptr ? sum[i]", "true ? sum[i]", "attn_out", n_tokens=3
    ),
    Bug(
        "bias of gate lost",
        "experts.cu",
        "gate_bias == nullptr ? gates[i]",
        "true ? gates[i]",
        "moe_up_gate",
        n_tokens=3,
    ),
    Bug(
        "bias of another expert",
        "experts.cu",
        "__fadd_rn(sum[i], bias[matrix_row])",
        "__fadd_rn(sum[i], bias[row])",
        "moe_down",
        n_tokens=3,
    ),
    Bug("residual lost", "combine.cu", "residual == nullptr ? sum", "true ? sum", "moe_down"),
    Bug("gate and up swapped", "experts.cu", "activate(kind, g, u)", "activate(kind, u, g)", "moe_up_gate", n_tokens=3),
    Bug(
        "expert shifted",
        "experts.cu",
        "static_cast<size_t>(work.expert) * expert_rows",
        "static_cast<size_t>((work.expert + 1) % 8) * expert_rows",
        "moe_up_gate",
        n_tokens=3,
    ),
    Bug("slot weights of another token", "combine.cu", "weights[slot]", "weights[rank]", "moe_down"),
    Bug(
        "the last expert is never chosen",
        "route.cu",
        "scores[e] > best",
        "scores[e] > best && e < n_expert - 1",
        "route",
    ),
    Bug(
        "weights of experts not renormalised",
        "route.cu",
        "renorm ?",
        "renorm > 1 ?",
        "route",
        QWEN3,
    ),
    Bug("quantisation truncates", "arithmetic.cuh", "rn(__fmul_rn(value", "rn(-0.25f + __fmul_rn(value", "attn_out"),
    Bug(
        "rotation the other way round",
        "heads.cu",
        "__fmul_rn(a, cosine), -__fmul_rn(b, sine)",
        "__fmul_rn(a, cosine), __fmul_rn(b, sine)",
        "qkv",
    ),
    Bug(
        "position ignored by the rotation",
        "heads.cu",
        "static_cast<size_t>(position) * by.half",
        "static_cast<size_t>(0 * position) * by.half",
        "qkv",
    ),
    Bug(
        "keys stored at another position",
        "heads.cu",
        "static_cast<size_t>(at_position) * n_heads",
        "static_cast<size_t>(blockIdx.y) * n_heads",
        "qkv",
    ),
    Bug(
        "a wrong sign bit",
        "signs.cuh",
        "(__popc(seven) & 1u) << 7",
        "(__popc(seven) & 1u) << 6",
        "moe_up_gate",
        QWEN3,
        3,
        0,
    ),
    Bug(
        "nibbles in the wrong order",
        "formats/mxfp4.cuh",
        "look_up_4(table, words[i] >> 4 & 0x0f0f0f0fu)",
        "look_up_4(table, words[i] & 0x0f0f0f0fu)",
        "moe_up_gate",
    ),
    Bug(
        "f16: barrier removed before keys are read",
        "attention_mma.cu",
        "        key_tiles.settle();\n        __syncthreads();\n",
        "        key_tiles.settle();\n",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: barrier removed before keys make way",
        "attention_mma.cu",
        "        if (key_tiles.land_in_place()) __syncthreads();\n",
        "",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: barrier removed before values are read",
        "attention_mma.cu",
        "        value_tiles.settle();\n        __syncthreads();\n",
        "        value_tiles.settle();\n",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: keys not waited for",
        "attention_mma.cu",
        "        copy_async_wait<0>();\n",
        "",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: values not waited for",
        "attention_mma.cu",
        "        copy_async_wait<1>();\n",
        "        copy_async_wait<2>();\n",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: window off by one",
        "attention_mma.cu",
        "position + token + 1 - shape.window",
        "position + token + 2 - shape.window",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: the next token is seen",
        "attention_mma.cu",
        "key <= own.newest",
        "key <= own.newest + 1",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: keys at the edge of a tile taken for seen",
        "attention_mma.cu",
        "first_key + tile <= position + first_token + 1 &&",
        "first_key + tile <= position + last_token + 1 &&",
        "attention",
        LLAMA,
        *BY_MMA,
        options=FLASH,
    ),
    Bug(
        "f16: sink lost",
        "attention_mma.cu",
        "if (sinks != nullptr)",
        "if (false)",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: sums not brought down to a new largest",
        "attention_mma.cu",
        "sum[j][e], e < 2 ? fix.x : fix.y",
        "sum[j][e], fix.x < -1.0f ? 0.0f : 1.0f",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: the other row's share",
        "attention_mma.cu",
        "e < 2 ? fix.x : fix.y",
        "e < 2 ? fix.y : fix.x",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: wrong fragment of the keys",
        "attention_mma.cu",
        "pair * 16 + lane % 8 + (lane >> 4) * 8",
        "pair * 16 + lane % 8 + (lane >> 3 & 1) * 8",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: wrong fragment of the values",
        "attention_mma.cu",
        "step * 16 + lane % 8 + (lane >> 3 & 1) * 8",
        "step * 16 + lane % 8 + (lane >> 4) * 8",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: shares in the wrong fragment",
        "attention_mma.cu",
        "pack_halves(low[2], low[3]), pack_halves(high[0], high[1])",
        "pack_halves(high[0], high[1]), pack_halves(low[2], low[3])",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: queries in the wrong fragment",
        "attention_mma.cu",
        "row[part % 2];\n            const int column = step * 16 + part / 2 * 8",
        "row[part / 2];\n            const int column = step * 16 + part % 2 * 8",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: keys behind the last one are not zeros",
        "kv_tiles.cuh",
        "if (first + row >= end || chunk",
        "if (first + row >= end + tile || chunk",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: heads share the wrong keys",
        "kv_tiles.cuh",
        "* n_head_kv + blockIdx.y) * head_dim",
        "* n_head_kv + (blockIdx.y ^ 1)) * head_dim",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16: rows of nobody are written",
        "attention_mma.cu",
        "is_somebodys = own.token >= 0",
        "is_somebodys = own.token >= -1",
        "attention",
        options=FLASH,
    ),
    Bug(
        "f16, q8_0: scale of the block beside",
        "kv_tiles.cuh",
        "side.scales[from / 32]",
        "side.scales[(from + 16) / 32]",
        "attention",
        options=FLASH + Q8_0,
    ),
    Bug(
        "f16, q8_0: codes behind the last key are not zeros",
        "kv_tiles.cuh",
        "if (first + row >= end || column",
        "if (first + row >= end + tile || column",
        "attention",
        options=FLASH + Q8_0,
    ),
    Bug(
        "f16, q8_0: a thread settles what another asked for",
        "kv_tiles.cuh",
        "found = codes[i * threads + threadIdx.x]",
        "found = codes[i * threads + (threadIdx.x ^ 1)]",
        "attention",
        options=FLASH + Q8_0,
    ),
    Bug(
        "f16, q8_0: halves of a chunk swapped",
        "kv_tiles.cuh",
        "halves_of_codes({found.x, found.y}, scale)",
        "halves_of_codes({found.z, found.w}, scale)",
        "attention",
        options=FLASH + Q8_0,
    ),
    Bug(
        "f16, q8_0: a copy of the rows beside",
        "kv_tiles.cuh",
        "int staged_row(int copy, int thread) { return (copy * 4",
        "int staged_row(int copy, int thread) { return (copy * 2",
        "attention",
        options=FLASH + Q8_0,
    ),
    Bug(
        "chunks of the row beside",
        "formats/block.cuh",
        "* 32 + row.lane) * size",
        "* 32 + (row.lane ^ 1)) * size",
        "attn_out",
        n_tokens=1,
        position=3,
    ),
    Bug("rows beside their places", "relay.cu", "row % 32) * chunk_bytes", "(row ^ 1) % 32) * chunk_bytes", "attn_out"),
    Bug("wait removed", "tile_mma.cuh", "        copy_async_wait<0>();\n", "", "attn_out", GPT_OSS, *BY_MMA),
    Bug(
        "wait one step late",
        "tile_mma.cuh",
        "copy_async_wait<0>();",
        "copy_async_wait<1>();",
        "attn_out",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "barrier removed: the next step is read before it is there",
        "tile_mma.cuh",
        "        copy_async_wait<0>();\n        __syncthreads();",
        "        copy_async_wait<0>();",
        "attn_out",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "barrier removed: the first step is read before it is there",
        "tile_mma.cuh",
        "    fetch(0, 0);\n    copy_async_wait<0>();\n    __syncthreads();",
        "    fetch(0, 0);\n    copy_async_wait<0>();",
        "attn_out",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "barrier removed: token rows are read before they are there",
        "product_mma.cuh",
        "    __syncthreads();\n",
        "",
        "attn_out",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "wrong fragment of the weights",
        "tile_mma.cuh",
        "lane % 8 + (lane >> 3 & 1) * 8;",
        "lane % 8 + (lane >> 4) * 8;",
        "attn_out",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "wrong fragment of the tokens",
        "tile_mma.cuh",
        "lane % 4 * 2 + lane % 8 + (lane >> 4) * 8",
        "lane % 4 * 2 + lane % 8 + (lane >> 3 & 1) * 8",
        "attn_out",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "the other chunks of a block beside",
        "tile_mma.cuh",
        "(chunk_at(row, lane >> 4) ^ 2 * block)",
        "(chunk_at(row, lane >> 4) ^ block)",
        "attn_out",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug("integer sums off by one", "tile_mma.cuh", "-12582912.0f", "-12582911.0f", "attn_out", GPT_OSS, *BY_MMA),
    Bug("accumulators never set", "tile_mma.cuh", "sum[i][j][e] = 0.0f;", ";", "attn_out", GPT_OSS, *BY_MMA),
    Bug(
        "scales of the other half of the rows",
        "tile_mma.cuh",
        "part * tile_rows + corner.row(i) + e / 2 * 8]",
        "part * tile_rows + corner.row(i)]",
        "attn_out",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "scale of the token beside",
        "tile_mma.cuh",
        "corner.token(j) + e % 2]);",
        "corner.token(j)]);",
        "attn_out",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "the second block of a step forgotten",
        "tile_mma.cuh",
        "min(step_blocks, n_blocks - step * step_blocks)",
        "1",
        "qkv",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "swizzle of stores only",
        "tile_mma.cuh",
        "out[chunk_at(row, 2 * block_of_row)] = low;",
        "out[row * 4 + 2 * block_of_row] = low;",
        "attn_out",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "minimum added",
        "tile_mma.cuh",
        "-counted(totals[part][e])",
        "counted(totals[part][e])",
        "qkv",
        QWEN3,
        *BY_MMA,
    ),
    Bug(
        "row guard removed from mma products",
        "product_mma.cuh",
        "own_row < whole.n_rows)",
        "own_row < whole.n_rows + 128)",
        "attn_out",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "token guard removed from mma products",
        "product_mma.cuh",
        "row >= part.n_rows || token >= n_tokens",
        "row >= part.n_rows",
        "attn_out",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "gate and up swapped in the tile",
        "experts_mma.cuh",
        "is_gate ? gate : up",
        "is_gate ? up : gate",
        "moe_up_gate",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "slots of the tile not guarded",
        "experts_mma.cuh",
        "                if (token >= count) continue;\n                const float g",
        "                const float g",
        "moe_up_gate",
        GPT_OSS,
        *BY_MMA,
    ),
    Bug(
        "bias of up lost in the tile",
        "experts_mma.cuh",
        "up_bias == nullptr ? sum",
        "true ? sum",
        "moe_up_gate",
        GPT_OSS,
        *BY_MMA,
    ),
]


@pytest.fixture(scope="module")
def reference(made: Made) -> Callable[[Bug], ReferenceSide]:
    known: dict[tuple[Any, ...], ReferenceSide] = {}

    def side(bug: Bug) -> ReferenceSide:
        key = (bug.preset, bug.options)
        if key not in known:
            known[key] = ReferenceSide(made(bug.preset), **dict(bug.options))
        return known[key]

    return side


def plant(bug: Bug, folder: Path) -> Path:
    """A copy of the kernels with the bug in it."""
    sources = folder / "kernels"
    shutil.copytree(KERNELS, sources)
    path = sources / bug.file
    text = path.read_text()
    assert text.count(bug.text) >= 1, f"{bug.file} has no {bug.text!r} any more"
    path.write_text(text.replace(bug.text, bug.instead))
    return sources


def is_caught(bug: Bug, sources: Path, reference: ReferenceSide, schedule: Schedule) -> bool:
    device = EmulatedDevice(checked=True, schedule=schedule, seed=2, sources=sources)
    try:
        found = list(Proof(device, reference).findings(bug.n_tokens, bug.position, only=(bug.op,)))
    except DeviceError as error:
        if "could not be compiled" in str(error):  # which would prove nothing
            raise
        return True
    finally:
        reports = device.reports()  # taken in any case: the next device would be given them
    return not all(finding.is_right for finding in found) or reports != ""


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_in_a_kernel_is_caught(bug: Bug, reference: Callable[[Bug], ReferenceSide], tmp_path: Path) -> None:
    assert is_caught(bug, plant(bug, tmp_path), reference(bug), Schedule.FORWARD)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("        copy_async_wait<0>();\n", ""),
        ("        copy_async_wait<1>();\n", "        copy_async_wait<2>();\n"),
        ("        key_tiles.settle();\n        __syncthreads();\n", "        key_tiles.settle();\n"),
        ("        value_tiles.settle();\n        __syncthreads();\n", "        value_tiles.settle();\n"),
    ],
)
def test_codes_of_a_cache_that_are_not_waited_for_are_caught(
    text: str, instead: str, reference: Callable[[Bug], ReferenceSide], tmp_path: Path
) -> None:
    """The same waits and barriers order the f16 cache's copies, which bring halves to their places themselves."""
    bug = Bug("wait or barrier removed", "attention_mma.cu", text, instead, "attention", options=FLASH + Q8_0)
    assert is_caught(bug, plant(bug, tmp_path), reference(bug), Schedule.FORWARD)


def test_a_tile_at_the_edge_of_a_wide_window_taken_for_seen_is_caught(wide_window: Path, tmp_path: Path) -> None:
    seen = ("first_key >= oldest_of(last_token)", "first_key >= oldest_of(first_token) / tile * tile")
    bug = Bug("f16: the window's edge taken for seen", "attention_mma.cu", *seen, "attention", position=215)
    reference = ReferenceSide(wide_window, flash_attn=True)
    assert is_caught(bug, plant(bug, tmp_path), reference, Schedule.FORWARD)


def test_a_sum_that_is_read_before_another_warp_has_left_it_is_caught(made: Made, tmp_path: Path) -> None:
    """The barrier matters where a row takes more than one step of 32 blocks; none of the presets' rows does."""
    path = made("llama", {"default": "Q8_0"}, n_layer=1, n_ff=1056, n_vocab=331)
    removed = ("    __syncthreads();\n    sum[0]", "    sum[0]")
    bug = Bug("barrier removed", "dot.cuh", *removed, "ffn", n_tokens=1, position=3)
    assert is_caught(bug, plant(bug, tmp_path), ReferenceSide(path), Schedule.FORWARD)


@pytest.mark.parametrize(("rows", "op"), [("n_ff", "moe_up_gate"), ("n_rows", "moe_down")])
@pytest.mark.parametrize("n_tokens", [1, 9])
def test_a_row_guard_removed_from_experts_is_caught(
    rows: str, op: str, n_tokens: int, made: Made, tmp_path: Path
) -> None:
    """Rows of quantised experts fill tiles of 32, and the presets' do; those of these plain floats do not."""
    path = made("qwen3moe", {"default": "F32"}, n_layer=1, n_embd=264, n_ff=40, n_vocab=331, n_expert=5, top_k=2)
    bug = Bug("row guard removed", "experts.cu", f"!has_sum() || row >= {rows}", "!has_sum()", op, n_tokens=n_tokens)
    assert is_caught(bug, plant(bug, tmp_path), ReferenceSide(path), Schedule.FORWARD)


def test_a_lost_clamp_is_caught(tmp_path: Path) -> None:
    bug = Bug("clamp lost", "activation.cuh", "fminf(gate, 7.0f)", "gate", "moe_up_gate")
    gate = np.array([6.5, 7.5], np.float32)
    found = activated(EmulatedDevice(sources=plant(bug, tmp_path)), "swiglu_oai", gate, gate)
    assert (found == activate("swiglu_oai", gate, gate)).tolist() == [True, False]


class StalePosition(EmulatedDevice):
    """Launches see the position they were captured with, as if the host had passed it by value."""

    position: Address | None = None

    def capture(self, launches: Sequence[Launch]) -> EmulatedGraph:
        if self.position is None:
            raise AssertionError("the test has not said where the position is")
        now = Address(self.allocate(4, "stale"))
        self.upload(now, self.download(self.position, 4))
        swap = {self.position: now}
        return super().capture(
            [
                Launch(
                    each.kernel,
                    each.grid,
                    each.threads,
                    tuple(swap.get(arg, arg) if isinstance(arg, Address) else arg for arg in each.args),
                )
                for each in launches
            ]
        )


class Impatient(EmulatedDevice):
    """Reads results without waiting for them."""

    def download(self, source: Address, n_bytes: int) -> NDArray[np.uint8]:
        return source.buffer.bytes(source.offset, n_bytes).copy()  # type: ignore[attr-defined,no-any-return]


class Forgetful(EmulatedDevice):
    """A graph that replays all but its last launch."""

    def capture(self, launches: Sequence[Launch]) -> Graph:
        return super().capture(launches[:-1])


def decoded(device: EmulatedDevice, path: Path) -> NDArray[np.float32]:
    """Logits of five tokens, one after another, each a replay of one graph."""
    options = Options(devices=("cuda-emulated:0",), n_ctx=16, ubatch=8)
    backend = CudaBackend(device)
    context = backend.context(load_model(path, options, backend), options)
    if isinstance(device, StalePosition):
        device.position = context.standing.position
    rows = [context.run(np.array([token], np.int32), at, "last") for at, token in enumerate((5, 9, 2, 200, 7))]
    return np.concatenate([row for row in rows if row is not None])


@pytest.mark.parametrize("broken", [StalePosition, Impatient, Forgetful])
def test_a_bug_in_the_host_code_is_caught_by_the_replay_of_a_graph(broken: type[EmulatedDevice], made: Made) -> None:
    right = decoded(EmulatedDevice(), made(GPT_OSS))
    assert np.isfinite(right).all()
    with np.errstate(invalid="ignore"):
        assert not np.allclose(decoded(broken(), made(GPT_OSS)), right, rtol=1e-3)
