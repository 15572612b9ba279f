"""The budgets that docs/cuda_kernels.md states: occupancy, instructions of main loops, bank conflicts, bounds."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sass import Code, disassemble

from harness.core.cuda.api import KernelName
from harness.core.cuda.bounds import table
from harness.core.cuda.layout import FIELDS, planes
from harness.core.cuda.nvrtc import compile_kernel
from harness.core.cuda.resources import Resources, parse
from harness.core.cuda.shapes import MMA_SHAPES, TABLE, Shape, shapes_of
from harness.core.cuda.shapes import THREADS as THREADS_OF_A_BLOCK
from harness.core.cuda.sources import KERNELS, formats
from harness.core.formats.table import BY_NAME

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
    by_shared = SHARED_KIB[architecture] * 1024 // max(1, used.shared_bytes + RESERVED.get(architecture, 1024))
    return min(by_registers, by_shared, THREADS[architecture] // threads)


def shape_of(entry: str) -> Shape:
    """The shape of a kernel on tensor cores."""
    return next(shape for shape in MMA_SHAPES if entry.endswith(shape.suffix))


MMA = {key: used for key, used in COMMITTED.items() if "_mma_" in key[0] and key[1]}  # attention has no format


@pytest.mark.parametrize("architecture", TABLE)
def test_every_shape_of_the_table_is_compiled_for_its_architecture_and_no_other(architecture: int) -> None:
    of_format = {name: set(shapes_of(name, architecture).values()) & set(MMA_SHAPES) for name in sorted(formats())}
    entries = ("product", "expert_product", "expert_gate_up")
    expected = {
        (f"{of}{shape.suffix}", name) for name, shapes in of_format.items() for shape in shapes for of in entries
    }
    assert {key[:2] for key in MMA if key[2] == architecture} == expected


@pytest.mark.parametrize("architecture", TABLE)
@pytest.mark.parametrize("shape", MMA_SHAPES, ids=lambda shape: str(shape.tokens))
def test_blocks_of_every_shape_share_a_multiprocessor_as_designed(shape: Shape, architecture: int) -> None:
    """From Ampere on two or more, so that one multiplies while another decodes; the page has what each reaches."""
    found = {
        key: blocks_per_multiprocessor(used, THREADS_OF_A_BLOCK, architecture)
        for key, used in MMA.items()
        if shape_of(key[0]) == shape and key[2] == architecture
    }
    least, most = min(found.values()), max(found.values())
    alone = [key for key, blocks in found.items() if blocks < 2]
    assert all(architecture == 75 and MMA[key].shared_bytes > 32 << 10 for key in alone)
    row = re.search(rf"^\| 128 × {shape.tokens} \|(.*)\|$", (DOCS / "cuda_kernels.md").read_text(), re.MULTILINE)
    assert row
    assert row[1].split("|")[list(TABLE).index(architecture)].strip() == (
        f"{least} … {most}" if least < most else f"{most}"
    )


@pytest.mark.parametrize("shape", MMA_SHAPES, ids=lambda shape: str(shape.tokens))
def test_every_shape_takes_the_registers_and_the_shared_memory_that_are_documented(shape: Shape) -> None:
    taken = [used for key, used in MMA.items() if shape_of(key[0]) == shape]
    registers, kib = ([use.registers for use in taken], [use.shared_bytes >> 10 for use in taken])
    cells = f"| {min(registers)} … {max(registers)} | {min(kib)} … {max(kib)} |"
    assert max(registers) <= 128
    assert re.search(
        rf"^\| 128 × {shape.tokens} \|.*{re.escape(cells)}$", (DOCS / "cuda_kernels.md").read_text(), re.MULTILINE
    )


@pytest.mark.parametrize("architecture", [75, 80, 86, 89, 90, 120])
def test_enough_warps_of_every_row_kernel_share_a_multiprocessor_to_hide_what_memory_takes(architecture: int) -> None:
    """Three blocks of eight warps; codebooks of 8 and 16 KB leave room for fewer on Turing."""
    found = {
        key: blocks_per_multiprocessor(used, 256, architecture)
        for key, used in COMMITTED.items()
        if key[0] in ("product", "expert_product", "expert_gate_up") and key[2] == architecture
    }
    assert len(found) == 3 * 30
    few = {key for key, blocks in found.items() if blocks < 3}
    assert few == ({key for key in found if key[1] in ("IQ1_S", "IQ1_M", "IQ2_S")} if architecture == 75 else set())


@pytest.fixture(scope="module", params=[75, 86, 120])
def main_loop(request: pytest.FixtureRequest) -> tuple[int, Code, int, int]:
    """Architecture, kernel, and the span of the innermost loop that multiplies."""
    code = disassemble(compile_kernel(KernelName("experts_mma_64", "", "MXFP4"), request.param).path)[
        "expert_gate_up_mma_64"
    ]
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
    """To a float by a subtraction, product of scales, fma: what docs/numerics.md asks for, and no more."""
    _, code, start, end = main_loop
    assert {code.count(name, start, end) for name in ("FADD", "FMUL", "FFMA")} == {32}
    assert code.count("I2F", start, end) == 0


def test_activations_travel_by_asynchronous_copies_of_16_bytes(main_loop: tuple[int, Code, int, int]) -> None:
    """Weights and, on sm_75, activations are loaded 16 bytes at a time; an entry of the list of tiles is as well."""
    architecture, code, _, _ = main_loop
    assert code.count("LDGSTS.E.BYPASS.128") == (0 if architecture == 75 else 2)
    start, end = next(span for span in code.loops() if code.count("BAR", *span))
    assert code.count("LDG.E.128", start, end) == (2 if architecture == 75 else 1)


WIDE_LOADS = {
    "MXFP4": (4, 8, 0),
    "Q4_K": (4, 4, 0),
    "Q8_0": (4, 4, 0),
    "Q6_K": (8, 4, 0),
    "IQ2_KS": (2, 8, 0),
    "IQ2_XXS": (0, 8, 4),
}
"""A warp's step in the row kernel, four blocks, or two of two terms each or of 8 bits: loads of 16 bytes of weights, of
16 bytes of activations, and of 8 bytes of weights. Four blocks of IQ2_KS share 32 bytes, which are loaded once."""


@pytest.mark.parametrize("architecture", [75, 86, 120])
@pytest.mark.parametrize("name", sorted(WIDE_LOADS))
def test_the_row_kernel_has_a_whole_step_under_way_at_once_in_wide_loads(name: str, architecture: int) -> None:
    """All loads of a step stand in one run of code before its only barrier; no codes come byte by byte."""
    code = disassemble(compile_kernel(KernelName("product", "", name), architecture).path)["product"]
    start, end = next(span for span in code.loops() if code.count("BAR", *span))
    barrier = next(at for at in range(start, end) if code.instructions[at].opcode.startswith("BAR"))
    of_weights, of_activations, narrower = WIDE_LOADS[name]
    assert code.count("LDG.E.128", start, barrier) == of_weights + of_activations
    assert code.count("LDG.E.64", start, barrier) == narrower
    assert code.count("IDP.4A", start, barrier) >= 4 * of_activations
    assert code.count("BRA", start, barrier) == code.count("LDG", barrier, end) == 0
    assert code.count("LDL") == code.count("STL") == 0


@pytest.mark.parametrize("architecture", [75, 86, 120])
def test_a_thread_with_an_eighth_of_a_row_of_floats_has_32_weights_under_way(architecture: int) -> None:
    """The chain waits for each of them; a router has few rows, so nothing else hides the wait."""
    code = disassemble(compile_kernel(KernelName("product", "", "F32"), architecture).path)["product"]
    start, end = next(span for span in code.loops() if code.count("FFMA", *span) > 1)
    first = next(at for at in range(start, end) if code.instructions[at].opcode == "FFMA")
    assert code.count("FFMA", start, end) == 32
    assert code.count("LDG", start, end) == 64
    assert code.count("LDG", start, first) >= 32


def test_codebooks_are_looked_up_in_shared_memory() -> None:
    """Two words an entry, four entries a block, four blocks a step; constant memory would serve lanes one by one."""
    code = disassemble(compile_kernel(KernelName("product", "", "IQ2_XXS"), 86).path)["product"]
    start, end = next(span for span in code.loops() if code.count("BAR", *span))
    barrier = next(at for at in range(start, end) if code.instructions[at].opcode.startswith("BAR"))
    assert code.count("LDS.64", start, barrier) == 16
    assert code.count("LDC", start, barrier) == 0


def test_warps_of_the_row_kernel_load_whole_lines_of_every_field() -> None:
    """Lane by lane, by the rule of layout.py: a warp of a row each touches no sector more than it must."""
    for name, fields in FIELDS.items():
        for plane in planes(BY_NAME[name], 512):
            for index in range(plane.n_blocks * plane.field.n_bytes // plane.field.chunk_bytes):
                size = plane.field.chunk_bytes
                starts = [plane.tile_offset + (index * 32 + lane) * size for lane in range(32)]
                sectors = {byte // 32 for start in starts for byte in (start, start + size - 1)}
                assert len(sectors) == max(1, size), (name, fields)


def test_activations_are_a_small_part_of_what_a_block_of_the_row_kernel_loads() -> None:
    """A block has 32 rows and its warps take different columns, so it loads a token's codes and scales once."""
    share = {name: (32 + 4) / (32 * BY_NAME[name].row_bytes(2560) / 80) for name in FIELDS}
    assert max(share, key=lambda name: share[name]) == "IQ1_S"
    text = " ".join((DOCS / "cuda_kernels.md").read_text().split())
    for name in ("IQ1_S", "IQ2_XXS", "MXFP4", "Q8_0"):
        assert f"{share[name]:.0%} for {name}".replace("%", " %") in text


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


def of_kv_tiles(name: str, *parameters: str) -> Callable[..., int]:
    """An expression of kernels/kv_tiles.cuh, which is one of Python as well; what else it names is given by name."""
    arguments = ", ".join(f"int {each}" for each in parameters)
    found = re.search(rf"int {name}\({arguments}\) \{{ return (.*); \}}", (KERNELS / "kv_tiles.cuh").read_text())
    assert found
    return lambda *values, **others: int(eval(found[1], {**dict(zip(parameters, values, strict=True)), **others}))


@pytest.mark.parametrize("width", [64, 128])
def test_shared_memory_of_attention_is_free_of_bank_conflicts(width: int) -> None:
    place = of_kv_tiles("place", "row", "chunk")
    chunks, lanes = width // 8, range(32)

    def at(row: int, chunk: int) -> int:
        return place(row, chunk, chunks=chunks)

    for row in range(0, 64, 16):
        for chunk in range(0, chunks, 2):
            keys = [at(row + lane % 8 + (lane >> 4) * 8, chunk + (lane >> 3 & 1)) for lane in lanes]
            values = [at(row + lane % 8 + (lane >> 3 & 1) * 8, chunk + (lane >> 4)) for lane in lanes]
            assert conflicts(keys) == conflicts(values) == 0
    for first in range(0, 64 * chunks, 32):
        assert conflicts([at((first + lane) // chunks, (first + lane) % chunks) for lane in lanes]) == 0  # copies
    assert sorted(at(row, chunk) for row in range(64) for chunk in range(chunks)) == list(range(64 * chunks))


@pytest.mark.parametrize("width", [64, 128])
def test_codes_of_a_cache_come_in_whole_sectors_and_become_halves_without_bank_conflicts(width: int) -> None:
    """Sixteen codes a copy. What a thread copied lies beside its neighbours' copies and is read back by itself."""
    place = of_kv_tiles("place", "row", "chunk")
    row, chunk = (of_kv_tiles(name, "copy", "thread") for name in ("staged_row", "staged_chunk"))
    n_copies = width // 32
    taken = [(row(copy, thread), chunk(copy, thread)) for copy in range(n_copies) for thread in range(128)]
    assert sorted(taken) == [(row, chunk) for row in range(64) for chunk in range(width // 16)]
    for first in range(0, len(taken), 32):
        of_warp = taken[first : first + 32]
        for side in range(2):
            assert conflicts([place(row, 2 * chunk + side, chunks=width // 8) for row, chunk in of_warp]) == 0
        halves_of_sectors = Counter((row, chunk // 2) for row, chunk in of_warp)
        assert set(halves_of_sectors.values()) == {2}


ATTENTION = [(entry, architecture) for entry in ("64", "128", "64_q8", "128_q8") for architecture in (75, 86, 120)]


@pytest.mark.parametrize(("entry", "architecture"), [each for each in ATTENTION if each[0][-1] != "8" or each[1] != 75])
def test_attention_multiplies_scores_and_values_by_mma_and_keeps_them_in_registers(
    entry: str, architecture: int
) -> None:
    width = int(entry.removesuffix("_q8"))
    code = disassemble(compile_kernel(KernelName("attention_mma", ""), architecture).path)[f"attention_mma_{entry}"]
    start, end = next(span for span in code.loops() if code.count("HMMA", *span))
    name, each = ("HMMA.1688.F32", 2) if architecture == 75 else ("HMMA.16816.F32", 1)
    assert code.count(name, start, end) == code.count("HMMA", start, end) == each * width
    assert code.count("LDSM", start, end) == width // 2
    assert code.count("MUFU.EX2", start, end) == 32 + 2
    assert code.count("LDL") == code.count("STL") == 0
    assert code.count("LDGSTS.E.BYPASS.128", start, end) > 0 or architecture == 75
    if entry.endswith("_q8"):  # codes are no ordinary loads any more: only scales are, two bytes each
        assert code.count("LDG.", start, end) == code.count("LDG.E.U16", start, end) == 2 * width // 32


@pytest.mark.parametrize(("entry", "blocks"), [("64", 3), ("128", 2), ("64_q8", 3), ("128_q8", 2)])
def test_blocks_of_attention_share_a_multiprocessor(entry: str, blocks: int) -> None:
    """Copies of codes do not travel by themselves on sm_75, which has no entries for them."""
    found = {
        key[2]: blocks_per_multiprocessor(used, 128, key[2])
        for key, used in COMMITTED.items()
        if key[0] == f"attention_mma_{entry}"
    }
    assert sorted(found) == [each for each in TABLE if each >= 80 or not entry.endswith("_q8")]
    assert min(found.values()) == blocks


def test_activations_staged_for_their_codes_are_free_of_bank_conflicts() -> None:
    """Four-byte accesses: each of the 32 banks once, in stores by column and token and in loads of a block."""
    source = (KERNELS / "experts_mma.cuh").read_text()
    found = re.search(r"int staged_at\(int token, int column\) \{ return (.*); \}", source)
    assert found

    def at(token: int, column: int) -> int:
        return int(eval(found[1], {"token": token, "column": column, "tile_columns": 64}))

    for first in range(0, 64, 8):
        for e in range(2):
            stores = [at(first + lane % 4 * 2 + e, first + lane // 4) for lane in range(32)]
            assert len({word % 32 for word in stores}) == 32
        for block in range(2):
            assert len({at(first, 32 * block + lane) % 32 for lane in range(32)}) == 32
    assert {at(token, column) for token in range(64) for column in range(64)} == set(range(64 * 64))


def test_the_documented_bounds_are_those_the_costs_give() -> None:
    assert table() in (DOCS / "cuda_kernels.md").read_text()
