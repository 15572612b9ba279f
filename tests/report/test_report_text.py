"""Foreign text made visible, and numbers as people read them."""

import pytest
from made_runs import info, pair

from harness.report import numbers
from harness.report.text import LONGEST_LINE, clean, one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("lone \ud800 surrogate", "lone \\ud800 surrogate"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("nul\0", "nul\\x00"),
        ("two\nlines\tand a tab", "two\\nlines\\tand a tab"),
        ("Qwen3 模型 ünïcode", "Qwen3 模型 ünïcode"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_long_name_is_cut() -> None:
    assert len(one_line("x" * 10_000)) == LONGEST_LINE


def test_texts_of_several_lines_keep_them() -> None:
    assert visible("a\n\tb\r") == "a\n\tb\\r"
    assert clean(info(pair(), "a:\n  b\x07")).config_text == "a:\n  b\\x07"


def test_a_clean_record_is_left_as_it_is() -> None:
    records = pair()
    assert tuple(map(clean, records)) == records


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (numbers.fixed(-0.0004, 2), "0.00"),
        (numbers.fixed(-1.25, 1), "−1.2"),
        (numbers.change(1.096), "+9.6 %"),
        (numbers.change(0.98), "−2.0 %"),
        (numbers.change_interval(1.089, 1.102), "[8.9, 10.2]"),
        (numbers.change_interval(0.0, float("inf")), "[−∞, ∞]"),
        (numbers.duration(1_500), "1.50 µs"),
        (numbers.duration(12_300_000_000), "12.3 s"),
        (numbers.size(2.5 * 2**30), "2.50 GiB"),
        (numbers.si(23.9e9, "B/s"), "23.9 GB/s"),
        (numbers.spans([0, 1, 2, 5, 7, 8]), "0–2, 5, 7–8"),
        (numbers.significant(0.01234), "0.0123"),
        (numbers.count(1234567), "1\u202f234\u202f567"),
        (numbers.factor(1.0955), "×1.095"),
    ],
)
def test_numbers_are_written_with_sign_unit_and_few_digits(shown: str, text: str) -> None:
    assert shown == text
