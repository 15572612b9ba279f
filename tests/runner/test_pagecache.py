"""Cold and warm are verified states of a file."""

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import EngineError
from harness.runner.pagecache import bring_about, model_files, resident_share

N_BYTES = 4 << 20


@pytest.fixture
def model() -> Iterator[Path]:
    """On a disk: what lies in memory alone cannot be cold."""
    path = Path(__file__).parent / f".made-{os.getpid()}.gguf"
    path.write_bytes(os.urandom(N_BYTES))
    yield path
    path.unlink()


def test_a_file_goes_cold_and_warm(model: Path) -> None:
    assert bring_about("cold", model) == ""
    assert resident_share([model]) < 0.01
    assert bring_about("warm", model) == ""
    assert resident_share([model]) == 1.0


def test_looking_warms_nothing(model: Path) -> None:
    bring_about("cold", model)
    assert resident_share([model]) == resident_share([model]) < 0.01


def test_a_file_that_somebody_has_mapped_is_not_called_cold(model: Path) -> None:
    with model.open("rb") as source, mmap.mmap(source.fileno(), 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ) as held:
        assert sum(held[:: mmap.PAGESIZE]) > 0
        with pytest.raises(EngineError, match="stay in the page cache"):
            bring_about("cold", model)


def test_all_parts_of_a_split_model_are_meant(tmp_path: Path) -> None:
    names = [path.name for path in model_files(tmp_path / "m-00002-of-00003.gguf")]
    assert names == ["m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"]
    assert model_files(tmp_path / "m.gguf") == (tmp_path / "m.gguf",)


def test_an_empty_or_absent_file_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "empty.gguf").touch()
    for name in ("empty.gguf", "absent.gguf"):
        assert bring_about("cold", tmp_path / name) == ""
        assert bring_about("warm", tmp_path / name) == ""
