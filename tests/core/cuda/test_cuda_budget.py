"""The budgets that docs/cuda_kernels.md states: occupancy, instructions of main loops, bank conflicts, bounds."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sass import Code, disassemble

from harness.core.cuda.api import KernelName
from harness.core.cuda.bounds import table
from harness.core.cuda.nvrtc import compile_kernel
from harness.core.cuda.resources import Resources, parse
from harness.core.cuda.sources import KERNELS

DOCS = Path(__file__).parents[3] / "docs"
COMMITTED, _ = parse((DOCS / "cuda_resources.md").read_text())
REGISTERS = 65_536
SHARED_KIB = {75: 64, 80: 164, 86: 100, 89: 100, 90: 228, 120: 100}
THREADS = {75: 1024, 80: 2048, 86: 1536, 89: 1536, 90: 2048, 120: 1536}
RESERVED = {75: 0}
"""Shared memory that the system takes of each block: 1 KiB from Ampere on."""


def blocks_per_multiprocessor(used: Resources, threads: int, architecture: int) -> int:
    """By registers (handed out 256 to a warp), by shared memory and by threads."""
    of_warp = -(-used.registers * 32 // 256) * 256
    by_registers = REGISTERS // (of_warp * threads // 32)
    by_shared = SHARED_KIB[architecture] * 1024 // (used.shared_bytes + RESERVED.get(architecture, 1024))
    return min(by_registers, by_shared, THREADS[architecture] // threads)


@pytest.mark.parametrize("architecture", [80, 86, 89, 90, 120])
def test_two_blocks_of_every_mma_kernel_share_a_multiprocessor(architecture: int) -> None:
    found = {
        key: blocks_per_multiprocessor(used, 256, architecture)
        for key, used in COMMITTED.items()
        if key[0].endswith("_mma") and key[2] == architecture
    }
    assert len(found) == 3 * 27
    assert set(found.values()) == {2}


def test_turing_has_room_for_one_block_of_every_mma_kernel_and_for_two_of_most() -> None:
    found = [
        blocks_per_multiprocessor(used, 256, 75)
        for key, used in COMMITTED.items()
        if key[0].endswith("_mma") and key[2] == 75
    ]
    assert min(found) == 1
    assert sum(blocks == 2 for blocks in found) > len(found) / 2


@pytest.fixture(scope="module", params=[75, 86, 120])
def main_loop(request: pytest.FixtureRequest) -> tuple[int, Code, int, int]:
    """Architecture, kernel, and the span of the innermost loop that multiplies."""
    code = disassemble(compile_kernel(KernelName("experts_mma", "", "MXFP4"), request.param).path)["expert_gate_up_mma"]
    start, end = next(span for span in code.loops() if code.count("IMMA", *span))
    return request.param, code, start, end


def test_the_main_loop_multiplies_by_the_largest_instruction_the_card_has(
    main_loop: tuple[int, Code, int, int],
) -> None:
    architecture, code, start, end = main_loop
    name, number = ("IMMA.8816", 32) if architecture == 75 else ("IMMA.16832", 8)
    assert code.count(name, start, end) == code.count("IMMA", start, end) == number


def test_the_main_loop_feeds_it_by_ldmatrix_and_keeps_nothing_in_local_memory(
    main_loop: tuple[int, Code, int, int],
) -> None:
    _, code, start, end = main_loop
    assert code.count("LDSM.16.M88.4", start, end) == 4
    assert code.count("LDL") == code.count("STL") == 0


def test_a_block_of_32_columns_costs_three_vector_instructions_an_accumulator(
    main_loop: tuple[int, Code, int, int],
) -> None:
    """Conversion, product of scales, fma: what docs/numerics.md asks for, and no more."""
    _, code, start, end = main_loop
    assert {code.count(name, start, end) for name in ("I2F", "FMUL", "FFMA")} == {32}


def test_activations_travel_by_asynchronous_copies_of_16_bytes(main_loop: tuple[int, Code, int, int]) -> None:
    architecture, code, _, _ = main_loop
    assert code.count("LDGSTS.E.BYPASS.128") == (0 if architecture == 75 else 2)
    assert code.count("LDG.E.128") == (2 if architecture == 75 else 0)


def chunk_at() -> Callable[[int, int], int]:
    """The kernel's own expression, which is an expression of Python as well."""
    source = (KERNELS / "tile_mma.cuh").read_text()
    found = re.search(r"int chunk_at\(int row, int chunk\) \{ return (.*); \}", source)
    assert found
    return lambda row, chunk: int(eval(found[1], {"row": row, "chunk": chunk}))


def conflicts(chunks: list[int]) -> int:
    """Of a warp's 16-byte accesses: eight lanes at a time, each 16-byte column of the 128-byte row once."""
    return sum(len({chunk % 8 for chunk in chunks[first : first + 8]}) != 8 for first in range(0, 32, 8))


def test_shared_memory_is_free_of_bank_conflicts() -> None:
    at = chunk_at()
    lanes = range(32)
    for base in range(0, 128, 16):
        for block in range(2):
            weights = [at(base + lane % 8 + (lane >> 3 & 1) * 8, 2 * block + (lane >> 4)) for lane in lanes]
            tokens = [at(base % 64 + lane % 8 + (lane >> 4) * 8, 2 * block + (lane >> 3 & 1)) for lane in lanes]
            assert conflicts(weights) == conflicts(tokens) == 0
    for warp in range(4):
        for chunk in range(4):
            assert conflicts([at(32 * warp + lane, chunk) for lane in lanes]) == 0  # stores of decoded weights
    assert conflicts([at(lane // 4, lane % 4) for lane in lanes]) == 0  # copies of activations
    assert conflicts([row * 4 for row in lanes]) > 0  # without the swizzle there would be


@pytest.mark.parametrize("width", [64, 128])
def test_shared_memory_of_attention_is_free_of_bank_conflicts(width: int) -> None:
    source = (KERNELS / "attention_mma.cu").read_text()
    found = re.search(r"int place\(int row, int chunk\) \{ return (.*); \}", source)
    assert found
    chunks, lanes = width // 8, range(32)

    def at(row: int, chunk: int) -> int:
        return int(eval(found[1], {"row": row, "chunk": chunk, "chunks": chunks}))

    for row in range(0, 64, 16):
        for chunk in range(0, chunks, 2):
            keys = [at(row + lane % 8 + (lane >> 4) * 8, chunk + (lane >> 3 & 1)) for lane in lanes]
            values = [at(row + lane % 8 + (lane >> 3 & 1) * 8, chunk + (lane >> 4)) for lane in lanes]
            assert conflicts(keys) == conflicts(values) == 0
    for first in range(0, 64 * chunks, 32):
        assert conflicts([at((first + lane) // chunks, (first + lane) % chunks) for lane in lanes]) == 0  # copies
    assert sorted(at(row, chunk) for row in range(64) for chunk in range(chunks)) == list(range(64 * chunks))


@pytest.mark.parametrize("architecture", [75, 86, 120])
@pytest.mark.parametrize("width", [64, 128])
def test_attention_multiplies_scores_and_values_by_mma_and_keeps_them_in_registers(
    width: int, architecture: int
) -> None:
    code = disassemble(compile_kernel(KernelName("attention_mma", ""), architecture).path)[f"attention_mma_{width}"]
    start, end = next(span for span in code.loops() if code.count("HMMA", *span))
    name, each = ("HMMA.1688.F32", 2) if architecture == 75 else ("HMMA.16816.F32", 1)
    assert code.count(name, start, end) == code.count("HMMA", start, end) == each * width
    assert code.count("LDSM", start, end) == width // 2
    assert code.count("MUFU.EX2", start, end) == 32 + 2
    assert code.count("LDL") == code.count("STL") == 0
    assert code.count("LDGSTS.E.BYPASS.128", start, end) > 0 or architecture == 75


@pytest.mark.parametrize(("width", "blocks"), [(64, 3), (128, 2)])
def test_blocks_of_attention_share_a_multiprocessor(width: int, blocks: int) -> None:
    found = [
        blocks_per_multiprocessor(used, 128, key[2])
        for key, used in COMMITTED.items()
        if key[0] == f"attention_mma_{width}"
    ]
    assert len(found) == 6
    assert min(found) == blocks


def test_the_documented_bounds_are_those_the_costs_give() -> None:
    assert table() in (DOCS / "cuda_kernels.md").read_text()
