"""The profile's table: sums by kind of operation, shares of the limits that a case may be held against."""

import pytest

from harness.records.axes import Axes
from harness.records.case import Case, ModelRef, Sampling, Test
from harness.records.profile import CaseProfile, OpTime, RowProfile
from harness.records.record import Limits
from harness.report.matching import matching
from harness.report.ops import limits_line, op_shares, profile_table

LIMITS = Limits(
    bandwidth={"read, 4 KiB pages, 1 thread": 10e9, "read, 4 KiB pages, 2 threads": 20e9, "copy, cuda:0": 1e12},
    rate={
        "int8 mma, cuda:0": 3e14,
        "int8 vnni, 1 thread": 100e9,
        "f32 fma, 1 thread": 30e9,
        "int8 vnni, 2 threads": 200e9,
    },
)
OPS = (
    OpTime("qkv", 0, 1, 3_000_000, 30e6, 15e6),
    OpTime("rms_norm", 0, 1, 1_000_000, 0, 1e6),
    OpTime("qkv", 1, 1, 5_000_000, 30e6, 25e6),
)
ROW = RowProfile("pp64", 64, 5, 8_500_000, OPS)


def test_a_row_is_held_against_the_limits_of_its_own_thread_count() -> None:
    one, two = (matching(LIMITS, Axes(threads=n)) for n in (1, 2))
    assert (list(one.bandwidth), list(one.rate)) == (
        ["read, 4 KiB pages, 1 thread"],
        ["int8 vnni, 1 thread", "f32 fma, 1 thread"],
    )
    assert (list(two.bandwidth.values()), list(two.rate.values())) == ([20e9], [200e9])
    assert matching(LIMITS, Axes(threads=0)) == two, "0 is every core"
    assert matching(LIMITS, Axes(threads=7)) == two, "a count that was not measured"
    assert matching(LIMITS, Axes(device="cuda:0")) == Limits({"copy, cuda:0": 1e12}, {"int8 mma, cuda:0": 3e14})
    for device in ("cuda:1", "cuda:0,cuda:1", "cuda-emulated:0"):
        assert matching(LIMITS, Axes(device=device)) == Limits(), "never those of another device"


def test_operations_are_summed_by_kind_the_longest_first() -> None:
    qkv, norm = op_shares(ROW, matching(LIMITS, Axes(threads=1)))
    assert (qkv.name, qkv.calls, qkv.ns, norm.name) == ("qkv", 2, 8_000_000, "rms_norm")
    assert qkv.time_share == pytest.approx(8 / 9)
    assert qkv.bytes_per_s == pytest.approx(40e6 / 8e-3)
    assert qkv.bandwidth_share == pytest.approx(0.5)
    assert qkv.macs_per_s == pytest.approx(7.5e9)
    assert qkv.rate_share == pytest.approx(0.075)
    assert (norm.rate_share, norm.bandwidth_share) == (None, pytest.approx(0.1))


def test_the_table_ends_in_the_sum_and_says_what_the_row_takes_untimed() -> None:
    case = Case("a", "made", ModelRef("m"), Axes(threads=1), Test("pp", 64), Sampling())
    table = profile_table(CaseProfile(case, (ROW,)), ROW, LIMITS)
    assert [row[0].text for row in table.rows] == ["qkv", "rms_norm", "all"]
    assert table.rows[0][7].text == "50.0 %"
    assert table.rows[-1][2].text == "9.00 ms"
    assert "8.50 ms untimed" in table.caption


def test_without_limits_there_are_no_shares_of_them() -> None:
    assert op_shares(ROW, Limits())[0].bandwidth_share is None
    assert "not known" in limits_line(Limits())
    assert "10.0 GB/s (read, 4 KiB pages, 1 thread)" in limits_line(matching(LIMITS, Axes(threads=1)))
