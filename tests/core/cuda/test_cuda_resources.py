"""Every kernel compiles for every architecture without a GPU, and takes no more of an SM than the table says."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from harness.core.cuda.nvrtc import ARCHITECTURES, nvrtc_version
from harness.core.cuda.resources import Resources, changes_for_the_worse, measure, parse, read_log, render
from harness.core.cuda.sources import formats, instances, write_atomically

PAGE = Path(__file__).parents[3] / "docs" / "cuda_resources.md"
EVERY_RUN = (75, 86, 120)

LOG = """
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'first' for 'sm_86'
ptxas info    : Function properties for first
ptxas         .     144 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 128 registers, used 1 barriers, 1056 bytes smem, 400 bytes cmem[0]
ptxas info    : Compile time = 1 ms
ptxas info    : Compiling entry function 'second' for 'sm_86'
ptxas info    : Function properties for second
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 0 barriers
"""


def test_no_kernel_takes_more_than_the_committed_table_says() -> None:
    """HARNESS_NIGHTLY=1 compiles for all architectures of the table."""
    found = measure(ARCHITECTURES if os.environ.get("HARNESS_NIGHTLY") else EVERY_RUN)
    committed, version = parse(PAGE.read_text())
    assert changes_for_the_worse(found, committed, same_compiler=version == nvrtc_version()) == []
    assert {key[:2] for key in found} == {key[:2] for key in committed}, "the table names kernels that are gone"


def test_no_kernel_spills_or_keeps_anything_in_local_memory() -> None:
    committed, _ = parse(PAGE.read_text())
    assert {key: value for key, value in committed.items() if value.spill_bytes or value.stack_bytes} == {}


def test_instances_are_all_sources_in_all_formats_they_take() -> None:
    known = {(kernel.source, kernel.format) for kernel in instances(86)}
    assert ("norm", "") in known
    assert {name for source, name in known if source == "product"} == formats()


def test_threads_that_write_the_same_file_at_once_do_not_take_it_from_each_other(tmp_path: Path) -> None:
    """As they do when the first two kernels on a machine are compiled side by side."""
    path, data, start = tmp_path / "header", bytes(1 << 16), Barrier(8)

    def write(_: int) -> None:
        start.wait()
        write_atomically(path, data)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [data]


def test_ptxas_reports_are_read_entry_by_entry() -> None:
    assert dict(read_log(LOG)) == {"first": Resources(128, 12, 144, 1056), "second": Resources(40, 0, 0, 0)}


def test_a_page_is_read_back_as_it_was_written() -> None:
    table = {("product", "MXFP4", 86): Resources(40, 0, 0, 16), ("norm", "", 86): Resources(20, 0, 0, 0)}
    assert parse(render(table, "13.0")) == (table, "13.0")


@pytest.mark.parametrize(
    ("now", "same_compiler", "is_worse"),
    [
        (Resources(40, 0, 0, 16), True, False),
        (Resources(39, 0, 0, 16), True, False),
        (Resources(41, 0, 0, 16), True, True),
        (Resources(41, 0, 0, 16), False, False),
        (Resources(40, 4, 0, 16), False, True),
        (Resources(40, 0, 8, 16), True, True),
        (Resources(30, 0, 0, 32), True, True),
    ],
)
def test_more_of_anything_is_a_change_for_the_worse(now: Resources, same_compiler: bool, is_worse: bool) -> None:
    key = ("product", "MXFP4", 86)
    found = changes_for_the_worse({key: now}, {key: Resources(40, 0, 0, 16)}, same_compiler=same_compiler)
    assert bool(found) == is_worse
    assert changes_for_the_worse({key: now}, {}, same_compiler=True) == [
        "product for MXFP4 on sm_86 is not in the table"
    ]
