"""A walk over the table: a format without a module, a kernel on each device, an oracle and mutants does not get in.

That kernels compute what the module says is proven in tests/core/cpu and tests/core/cuda, for whatever they list.
"""

from importlib.resources import files

import gguf
import numpy as np
import pytest
from format_oracles import FIRST_IK_TYPE, ik_ggml, ik_row_bytes
from test_dequantize import QUANTISED, mutants

from harness.core.cpu.native_module import native
from harness.core.cuda import sources as cuda
from harness.core.formats import normal_form, random_rows
from harness.core.formats.rows import codec
from harness.core.formats.table import BY_ID, BY_NAME, FORMATS, Format
from harness.core.gguf.ggml_types import TYPE_NAMES

by_name = pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)


@by_name
def test_a_module_of_its_own_decodes_it(fmt: Format) -> None:
    assert codec(fmt)
    assert files("harness.core.formats").joinpath(f"{fmt.name.lower()}.py").is_file()


@by_name
def test_the_cpu_has_a_kernel_for_it(fmt: Format) -> None:
    assert fmt.name in native().formats()
    decoder = files("harness.core.cpu").joinpath(f"native/formats/{fmt.name.lower()}.cpp")
    assert decoder.is_file() == bool(fmt.group), "plain floats need no decoder"


@by_name
def test_a_gpu_has_a_kernel_for_it(fmt: Format) -> None:
    assert fmt.name in cuda.formats()


def test_no_kernel_is_for_a_format_that_is_not_in_the_table() -> None:
    assert set(native().formats()) == cuda.formats() == set(BY_NAME)


@by_name
def test_somebody_elses_code_can_be_asked(fmt: Format) -> None:
    if fmt.type_id >= FIRST_IK_TYPE:
        assert getattr(ik_ggml(), f"dequantize_row_{fmt.name.lower()}")
    else:
        assert gguf.GGMLQuantizationType(fmt.type_id).name == fmt.name


@pytest.mark.parametrize("fmt", QUANTISED, ids=lambda fmt: fmt.name)
def test_mutants_exist_for_it(fmt: Format) -> None:
    form = normal_form(fmt, random_rows(fmt, 1, 512, np.random.default_rng(0)), 512)
    assert len(mutants(form, fmt.group)) == (5 if fmt.has_minimum else 3)


@by_name
def test_its_block_size_is_what_others_say(fmt: Format) -> None:
    if fmt.type_id < FIRST_IK_TYPE:
        assert gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(fmt.type_id)] == (fmt.block, fmt.block_bytes)
    else:
        assert ik_row_bytes(fmt, 1024) == fmt.row_bytes(1024)


def test_names_and_numbers_are_unique_and_known_to_the_reader() -> None:
    assert len(BY_NAME) == len(BY_ID) == len(FORMATS)
    assert {theirs.name for theirs in gguf.GGMLQuantizationType} <= set(TYPE_NAMES.values())
    for fmt in FORMATS:
        assert TYPE_NAMES[fmt.type_id] == fmt.name


def test_every_module_of_a_format_is_in_the_table() -> None:
    with_codec = {
        entry.name.removesuffix(".py").upper()
        for entry in files("harness.core.formats").iterdir()
        if entry.name.endswith(".py") and "\nCODEC = " in entry.read_text(encoding="utf-8")
    }
    assert with_codec == set(BY_NAME)
