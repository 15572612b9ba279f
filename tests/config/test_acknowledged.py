from datetime import date
from pathlib import Path

import pytest

from harness.config.acknowledged import Acknowledgement, load_acknowledged
from harness.errors import ConfigError

TODAY = date(2026, 7, 1)


def write(folder: Path, text: str) -> Path:
    path = folder / "acknowledged.yaml"
    path.write_text(text)
    return path


def test_a_file_becomes_acknowledgements(tmp_path: Path) -> None:
    text = 'acknowledged:\n  - {series: "* tg128*", until: 2026-12-31, at_most: 5 %, reason: "known, see the log"}\n'
    assert load_acknowledged(write(tmp_path, text)) == (
        Acknowledgement("* tg128*", date(2026, 12, 31), "known, see the log", 0.05),
    )


@pytest.mark.parametrize(
    ("series", "ratio", "today", "covered"),
    [
        ("m cpu:0 tg128", 0.96, TODAY, True),
        ("m cpu:0 tg128", 0.94, TODAY, False),
        ("m cpu:0 pp512", 0.96, TODAY, False),
        ("m cpu:0 tg128", 0.96, date(2026, 12, 31), True),
        ("m cpu:0 tg128", 0.96, date(2027, 1, 1), False),
    ],
)
def test_it_covers_its_series_up_to_its_size_until_its_day(
    series: str, ratio: float, today: date, covered: bool
) -> None:
    assert Acknowledgement("* tg128*", date(2026, 12, 31), "r", 0.05).covers(series, ratio, today) is covered


def test_without_a_bound_any_slowdown_is_covered() -> None:
    assert Acknowledgement("*", date(2026, 12, 31), "r").covers("m", 0.2, TODAY)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("acknowledged:\n  - {series: x, reason: y}\n", "2:5: acknowledged[0].until: missing"),
        ("acknowledged:\n  - {series: x, reason: y, until: soon}\n", "expected a day such as 2026-12-31"),
        ("acknowledged:\n  - {series: x, reason: y, until: 2026-12-31, at_mots: 5 %}\n", "did you mean at_most?"),
        ("acknowledge: []\n", "did you mean acknowledged?"),
    ],
)
def test_a_mistake_is_shown_where_it_is(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_acknowledged(write(tmp_path, text))
    assert said in str(caught.value)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_acknowledged(tmp_path / "none.yaml")
