from typing import Any

from harness.core.options import Options
from harness.core.plan import format_plan, make_plan
from harness.core.plan.text import format_bytes, format_layers


def test_layers_that_are_alike_are_folded_into_runs() -> None:
    assert format_layers([5, 0, 1, 2, 7, 2]) == "0-2,5,7"


def test_bytes_are_printed_in_the_unit_that_fits() -> None:
    assert [format_bytes(n) for n in (0, 1023, 1536, 12 << 30)] == ["0 B", "1023 B", "1.5 KiB", "12 GiB"]


def test_a_plan_tells_merges_with_reasons_and_where_bytes_come_from(made: Any, model_of: Any) -> None:
    options = Options(devices=("reference",), merge_up_gate=True)
    text = format_plan(make_plan(model_of(made("tiny-gpt-oss")), options))
    assert "merge up_gate  yes  layers 0-2  gate and up are of one format, biases too" in text
    assert "merge qkv      no   layers 0-2  not asked for" in text
    (line,) = (line for line in text.splitlines() if "ffn_gate_up_exps.weight" in line)
    assert line.startswith("blk.0-2.ffn_gate_up_exps.weight")
    assert "8 x 320 x 288" in line
    assert "ffn_gate_exps.weight, ffn_up_exps.weight (16 pieces)" in line


def test_no_line_of_a_plan_is_repeated_for_equal_layers(made: Any, model_of: Any) -> None:
    text = format_plan(make_plan(model_of(made("tiny-llama")), Options(devices=("reference",))))
    assert len(text.splitlines()) < 20


def test_a_plan_tells_which_rows_and_columns_of_a_tensor_each_device_holds(made: Any, model_of: Any) -> None:
    devices = ("cpu:0", "cpu:1")
    options = Options(devices=devices, split_mode="graph", tensor_split=(2, 1), merge_up_gate=True, merge_qkv=True)
    lines = format_plan(make_plan(model_of(made("tiny-gpt-oss")), options)).splitlines()

    def of_both(name: str) -> list[str]:
        return [line for line in lines if f".{name} " in line]

    first, second = of_both("ffn_gate_up_exps.weight")
    assert "ffn_gate_exps.weight, ffn_up_exps.weight: rows 0-95 of 160 of each expert (16 pieces)" in first
    assert "ffn_gate_exps.weight, ffn_up_exps.weight: rows 96-159 of 160 of each expert (16 pieces)" in second
    first, second = of_both("ffn_gate_up_exps.bias")
    assert "ffn_up_exps.bias: rows 0-95 of 160 of each expert" in first
    assert "ffn_up_exps.bias: rows 96-159 of 160 of each expert" in second
    first, second = of_both("ffn_down_exps.weight")
    assert "ffn_down_exps.weight: columns 0-95 of 160 " in first
    assert "ffn_down_exps.weight: columns 96-159 of 160 " in second
