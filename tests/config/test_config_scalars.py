import pytest
from made_configs import config, expanded

from harness.config.nodes import ScalarNode, as_float, as_int, as_switch
from harness.config.source import Mark, Source
from harness.config.units import duration_ns, say_duration, share, token_range


def scalar(text: str, *, plain: bool = True) -> ScalarNode:
    return ScalarNode(Mark(Source("s", text), 1, 1), text, plain)


@pytest.mark.parametrize(
    ("text", "value"),
    [("010", 10), ("0o17", 15), ("0x1F", 31), ("-3", -3), ("+4", 4), ("12:30", None), ("1_000", None), ("1e3", None)],
)
def test_whole_numbers_follow_yaml_1_2(text: str, value: int | None) -> None:
    assert as_int(scalar(text)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("1E3", 1000.0), (".5", 0.5), ("5.", 5.0), ("010", 10.0)]
    + [(text, None) for text in ("12:30", ".nan", ".inf", "1e9999", "e3", "0x1.8")],
)
def test_numbers_follow_yaml_1_2_and_are_finite(text: str, value: float | None) -> None:
    assert as_float(scalar(text)) == value


def test_quoted_text_is_never_a_number_or_a_switch() -> None:
    assert as_int(scalar("1", plain=False)) is None
    assert as_float(scalar("1.5", plain=False)) is None
    assert as_switch(scalar("on", plain=False)) is None


@pytest.mark.parametrize("word", ["on", "yes", "true", "On", "TRUE"])
def test_a_switch_is_on_in_three_words(word: str) -> None:
    assert config(f"models: {{m: a}}\nmatrix: {{muge: {word}}}").settings.axes["merge_up_gate"] == (True,)


@pytest.mark.parametrize("word", ["off", "no", "false", "Off", "FALSE"])
def test_a_switch_is_off_in_three_words(word: str) -> None:
    assert config(f"models: {{m: a}}\nmatrix: {{muge: {word}}}").settings.axes["merge_up_gate"] == (False,)


@pytest.mark.parametrize("word", ["no", "on", "010", "1e-3", "12:30", "null-and-void"])
def test_where_text_is_wanted_it_stays_as_typed(word: str) -> None:
    assert config(f"name: {word}\nmodels: {{m: a}}" if ":" not in word else f"models: {{m: {word}}}") is not None
    assert config(f"models: {{m: {word}}}").models[0].gguf == word


def test_a_model_may_be_called_no() -> None:
    assert expanded("models: {no: a.gguf}").cases[0].model.name == "no"


@pytest.mark.parametrize(
    ("text", "ms"),
    [("90 s", 90_000), ("10 min", 600_000), ("1 h 30 min", 5_400_000), ("500ms", 500), ("1.5 s", 1500)],
)
def test_durations_carry_their_unit(text: str, ms: int) -> None:
    assert duration_ns(text) == ms * 1_000_000


@pytest.mark.parametrize("text", ["", "10", "10 m", "min", "1 h 30", "-1 s", "1e3 s", "9" * 40 + " s"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        duration_ns(text)


@pytest.mark.parametrize("ns", [1_000_000, 90 * 10**9, 150 * 10**9, 600 * 10**9, 3600 * 10**9, 7500 * 10**9])
def test_a_duration_as_said_can_be_typed_back(ns: int) -> None:
    assert duration_ns(say_duration(ns)) == ns


@pytest.mark.parametrize(
    ("text", "value"), [("0.5 %", 0.005), ("0.5%", 0.005), ("0.005", 0.005), ("1e-3", 0.001), ("20 %", 0.2)]
)
def test_shares_are_percent_or_a_fraction(text: str, value: float) -> None:
    assert share(text) == pytest.approx(value)


def test_a_range_has_both_its_ends() -> None:
    assert token_range("0..30720/2048") == tuple(range(0, 30721, 2048))
    assert token_range("0..1000/512") == (0, 512)
    assert token_range("7 .. 7 / 1") == (7,)
