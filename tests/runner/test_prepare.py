"""Made model files: made once, whole, found again, and made anew when what they are made from changes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_cases import HASTE, Heard, expansion, fake_case

from harness.errors import RunError
from harness.records.case import ModelRef, StandIn
from harness.runner import prepare
from harness.runner.interrupt import Interrupt
from harness.runner.models import ModelFiles
from harness.runner.prepare import cache_folder, is_made, prepared
from harness.runner.run import execute

MADE = ModelRef("m", stand_in=StandIn("tiny-llama", layers=1, seed=3))


class Maker:
    def __init__(self, content: bytes = b"weights") -> None:
        self.made: list[Path] = []
        self.content = content

    def __call__(self, _model: ModelRef, path: Path) -> None:
        self.made.append(path)
        path.write_bytes(self.content)


def test_a_file_is_made_once_and_found_again(tmp_path: Path) -> None:
    maker = Maker()
    first = prepared(MADE, tmp_path / "cache", maker)
    assert prepared(MADE, tmp_path / "cache", maker) == first
    assert len(maker.made) == 1
    assert first.read_bytes() == b"weights"


def test_a_file_that_lost_its_end_is_made_anew(tmp_path: Path) -> None:
    maker = Maker()
    prepared(MADE, tmp_path, maker).write_bytes(b"weig")
    assert prepared(MADE, tmp_path, maker).read_bytes() == b"weights"
    assert len(maker.made) == 2


def test_a_maker_that_fails_leaves_no_file_to_be_found(tmp_path: Path) -> None:
    def fails(model: ModelRef, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=r"No space left on device.*HARNESS_CACHE"):
        prepared(MADE, tmp_path, fails)
    assert not list(tmp_path.glob("*.gguf"))
    assert not list(tmp_path.glob("*.part"))
    assert prepared(MADE, tmp_path, Maker()).read_bytes() == b"weights"


@pytest.mark.parametrize(
    "other",
    [StandIn("tiny-llama", 1, seed=4), StandIn("tiny-llama", 2, seed=3), StandIn("tiny-llama", 1, 64, 3)],
)
def test_another_stand_in_is_another_file(tmp_path: Path, other: StandIn) -> None:
    names = {prepared(ModelRef("m", stand_in=made), tmp_path, Maker()).name for made in (MADE.stand_in, other)}
    assert len(names) == 2


def test_new_code_makes_a_new_file_and_removes_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = prepared(MADE, tmp_path, Maker())
    kept = prepared(ModelRef("m", stand_in=StandIn("tiny-llama", layers=1, vocab=64, seed=3)), tmp_path, Maker())
    monkeypatch.setattr(prepare, "code_digest", lambda _folder: "newer code")
    new = prepared(MADE, tmp_path, Maker())
    assert new != old
    assert (new.exists(), old.exists(), kept.exists()) == (True, False, True)


def test_a_mixture_follows_the_bytes_of_its_source(tmp_path: Path) -> None:
    source = tmp_path / "dense.gguf"
    names = set()
    for content in (b"one", b"two"):
        source.write_bytes(content)
        names.add(prepared(ModelRef("m", mixture_of=str(source)), tmp_path / "cache", Maker()).name)
    assert len(names) == 2
    assert all(name.startswith("dense-mixture-") for name in names)


def test_a_model_with_a_path_is_not_made() -> None:
    assert is_made(MADE)
    assert not is_made(ModelRef("m", path="x.gguf", stand_in=MADE.stand_in))
    assert not is_made(ModelRef("m"))


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("HARNESS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "harness"


def test_a_model_that_cannot_be_made_fails_its_cases_and_is_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    broken = ModelRef("broken", stand_in=StandIn("no-such-preset"))
    heard = Heard()
    cases = (fake_case("a", model=broken), fake_case("b", model=broken), fake_case("c"))
    outcome = execute(expansion(*cases), tmp_path / "results", None, (), heard, patience=HASTE)
    assert [record.status for record in outcome.records] == ["failed", "failed", "ok"]
    error = outcome.records[0].error
    assert error is not None
    assert "no-such-preset" in error.message
    assert heard.phases.count("prepare") == 1


def test_a_tiny_stand_in_is_really_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    files = ModelFiles(HASTE, Interrupt(), Heard())
    case = files.with_file(fake_case("a", model=MADE))
    assert case.model.path is not None
    assert Path(case.model.path).read_bytes()[:4] == b"GGUF"


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None] | None:
    """Nothing here may write into the user's own cache."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return None
