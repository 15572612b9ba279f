import pytest
from made_configs import config

from harness.config.axis_values import read_axes
from harness.config.problems import Mistakes
from harness.errors import ConfigError
from harness.records.axes import Axes
from harness.records.case import StandIn

TEXT = """
models:
  qwen-1.7: {stand_in: {preset: tiny-qwen3moe}}
matrix: {muge: [off, on], threads: 2}
tests: [{pp: 512}, {pg: [64, 8]}]
"""


def test_an_axis_is_set_by_its_bare_name_whatever_the_file_calls_it() -> None:
    for override in ("merge_up_gate=on", "muge=on", "matrix.merge_up_gate=on", "matrix.muge=on"):
        assert config(TEXT, [override]).settings.axes["merge_up_gate"] == (True,)


def test_a_value_is_yaml() -> None:
    axes = config(TEXT, ["threads=[1, 2]", "override_tensor=['a=cpu:0']"]).settings.axes
    assert axes["threads"] == (1, 2)
    assert axes["override_tensor"] == (("a=cpu:0",),)


def test_paths_reach_into_models_with_dots_in_their_names_and_into_lists() -> None:
    changed = config(TEXT, ["models.qwen-1.7.stand_in.seed=3", "tests[0].pp=8", "tests.1.pg[0]=16"])
    assert changed.models[0].stand_in == StandIn("tiny-qwen3moe", seed=3)
    assert [test.label for test in changed.settings.tests] == ["pp8", "pp16+tg8"]


def test_keys_that_the_file_does_not_have_can_be_set() -> None:
    changed = config(TEXT, ["samples.max=4", "name=night"])
    assert (changed.settings.sampling.max_samples, changed.name) == (4, "night")


def test_the_last_of_two_wins() -> None:
    assert config(TEXT, ["threads=3", "threads=4"]).settings.axes["threads"] == (4,)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("merge_up_gate=onn", "--set:1:15: matrix.merge_up_gate: expected on or off, found the text 'onn'"),
        ("merge_up_gat=on", "--set:1:1: merge_up_gat: unknown key"),
        ("threads", "--set:1:1: expected PATH=VALUE"),
        ("threads=", "--set:1:1: expected PATH=VALUE"),
        ("=3", "--set:1:1: expected PATH=VALUE"),
        ("tests[7].pp=3", "--set:1:1: [7].pp: no such place in the config"),
        ("tests=[{pp: 3}", "--set:1:15: not YAML"),
        ("threads=*a", "--set:1:9: an alias"),
    ],
)
def test_a_mistake_in_set_is_shown_with_its_column(override: str, message: str) -> None:
    with pytest.raises(Mistakes) as caught:
        config(TEXT, [override])
    assert message in str(caught.value)
    assert f"1 | {override}" in str(caught.value)


def test_mistakes_of_file_and_command_line_are_shown_together() -> None:
    with pytest.raises(Mistakes) as caught:
        config(TEXT + "precison: 1 %", ["threads=many"])
    assert [str(p.mark) for p in caught.value.problems] == ["--set:1:9", "config.yaml:6:1"]


def test_axes_alone_can_be_read_for_commands_without_a_config() -> None:
    axes = read_axes(["muge=on", "layers=all", "tensor_split=[1, 2]", "threads=3", "threads=4"])
    assert axes == Axes(merge_up_gate=True, tensor_split=(1.0, 2.0), threads=4)


@pytest.mark.parametrize("text", ["muge=[off, on]", "muge", "mug=on", "layers=0", "=", "threads=1=2"])
def test_axes_alone_are_checked_like_a_config(text: str) -> None:
    with pytest.raises(ConfigError):
        read_axes([text])
