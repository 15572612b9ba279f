"""The writer: what it writes reads back, in little memory, and nothing is left of a file that failed."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.core.formats.table import BY_NAME
from harness.core.gguf import open_gguf
from harness.core.gguf.writer import TensorSource, Value, write_gguf, write_hollow

F32 = BY_NAME["F32"]
SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(width=32, allow_nan=False), st.text(max_size=20)
)
VALUES = st.one_of(SCALARS, st.lists(st.text(max_size=9), max_size=9))
MEANT = {"general.alignment", "split.count", "split.no", "split.tensors.count"}
"""Keys that say how the file itself is laid out; whoever draws keys from the sources' constants hits upon them."""
FREE_KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(lambda k: k not in MEANT)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(metadata=st.dictionaries(FREE_KEYS, VALUES, max_size=12))
def test_any_metadata_reads_back(metadata: dict[str, Value], tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, metadata, [])
    with open_gguf(path) as file:
        assert list(file.metadata) == list(metadata)
        for key, value in metadata.items():
            found = file.metadata[key]
            assert (list(found) if isinstance(value, list) else found) == value
            if not isinstance(value, list):
                assert type(found) is type(value)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 100), max_size=9), power=st.integers(2, 12))
def test_tensors_lie_apart_on_the_alignment(sizes: list[int], power: int, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    tensors = [
        TensorSource(f"t{i}", F32, (size,), lambda size=size, i=i: [np.full(size, i, np.float32).view(np.uint8)])  # type: ignore[misc]
        for i, size in enumerate(sizes)
    ]
    write_gguf(path, {"general.alignment": 1 << power}, tensors)
    with open_gguf(path) as file:
        for i, size in enumerate(sizes):
            assert file.tensors[f"t{i}"].offset % (1 << power) == 0
            assert file.read(f"t{i}").view(np.float32).tolist() == [[i] * size]


def test_a_hollow_file_has_the_header_and_the_size_but_no_weights(tmp_path: Path) -> None:
    tensors = [
        TensorSource(f"t{i}", F32, (1 << 20,), lambda: [np.ones(1 << 20, np.float32).view(np.uint8)]) for i in (0, 1)
    ]
    write_gguf(tmp_path / "full", {"a": 1}, tensors)
    write_hollow(tmp_path / "hollow", {"a": 1}, tensors)
    with open_gguf(tmp_path / "full") as full, open_gguf(tmp_path / "hollow") as hollow:
        assert dict(hollow.tensors) == dict(full.tensors)
        assert hollow.size_bytes == full.size_bytes
    assert (tmp_path / "hollow").stat().st_blocks * 512 < 1 << 20


def test_a_large_tensor_is_never_in_memory(tmp_path: Path) -> None:
    chunk = np.zeros(1 << 20, np.uint8)

    def chunks() -> Iterator[NDArray[np.uint8]]:
        for _ in range(64):
            yield chunk

    tracemalloc.start()
    write_gguf(tmp_path / "m.gguf", {}, [TensorSource("t", F32, (16 << 20,), chunks)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
    assert (tmp_path / "m.gguf").stat().st_size > 64 << 20


@pytest.mark.parametrize("n_numbers", [3, 5])
def test_a_tensor_of_another_size_than_its_shape_leaves_no_file(n_numbers: int, tmp_path: Path) -> None:
    source = TensorSource("t", F32, (4,), lambda: [np.zeros(n_numbers, np.float32).view(np.uint8)])
    with pytest.raises(ValueError, match=r"t: \d+ bytes were produced"):
        write_gguf(tmp_path / "m.gguf", {}, [source])
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, {"a": 1}, [])

    def broken() -> Iterator[NDArray[np.uint8]]:
        yield np.zeros(4, np.uint8)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_gguf(path, {"a": 2}, [TensorSource("t", F32, (4,), broken)])
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.gguf"]
    assert open_gguf(path).metadata["a"] == 1
