"""Our reader and our writer against the gguf package, in both directions."""

import random
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from harness.core.formats import random_rows
from harness.core.formats.table import FORMATS, Format
from harness.core.gguf import GgufFile, open_gguf
from harness.core.gguf.writer import TensorSource, Value, write_gguf

N_FILES = 200
MAINLINE = [fmt for fmt in FORMATS if fmt.type_id < 100]
LETTERS = "abc_.Ġé→😀 \n"


def some_text(rng: random.Random) -> str:
    return "".join(rng.choices(LETTERS, k=rng.randrange(12)))


def some_value(rng: random.Random) -> Value:
    dtype = rng.choice([np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64])
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    choices: list[Value] = [
        some_text(rng),
        rng.random() < 0.5,
        rng.uniform(-1e6, 1e6),
        rng.randrange(-(2**31), 2**32),
        dtype(rng.randrange(low, high + 1)),
        np.float64(rng.gauss(0, 1)),
        np.array([rng.randrange(low, high + 1) for _ in range(rng.randrange(1, 9))], dtype),
        np.array([rng.gauss(0, 1) for _ in range(rng.randrange(1, 9))], np.float32),
        np.array([rng.random() < 0.5 for _ in range(rng.randrange(1, 9))]),
        [some_text(rng) for _ in range(rng.randrange(1, 9))],
    ]
    return rng.choice(choices)


def some_tensor(rng: random.Random, index: int, fmt: Format) -> TensorSource:
    lead = tuple(rng.randrange(1, 5) for _ in range(rng.randrange(3)))
    shape = (*lead, fmt.block * rng.randrange(1, 4))
    rows = random_rows(fmt, int(np.prod(lead, dtype=int)), shape[-1], np.random.default_rng(index))
    return TensorSource(f"tensor.{index}", fmt, shape, lambda: [rows])


def plain(value: Any) -> Any:
    """Arrays and string arrays as lists, so that any two readers' values compare."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value if isinstance(value, str | bool | int | float) else list(value)


def assert_equal_to_theirs(file: GgufFile, path: Path) -> None:
    theirs = gguf.GGUFReader(path)
    fields = {key: field.contents() for key, field in theirs.fields.items() if not key.startswith("GGUF.")}
    assert {key: plain(value) for key, value in file.metadata.items()} == fields
    assert list(file.tensors) == [tensor.name for tensor in theirs.tensors]
    for tensor in theirs.tensors:
        ours = file.tensors[tensor.name]
        assert ours.shape == tuple(int(extent) for extent in tensor.shape[::-1])
        assert ours.format.type_id == tensor.tensor_type
        assert (ours.offset, ours.n_bytes) == (tensor.data_offset, tensor.n_bytes)
        assert np.array_equal(file.read(tensor.name).reshape(-1), tensor.data.reshape(-1).view(np.uint8))


@pytest.mark.parametrize("batch", range(4))
def test_both_readers_see_the_same_in_files_of_ours(batch: int, tmp_path: Path) -> None:
    for seed in range(batch * N_FILES // 4, (batch + 1) * N_FILES // 4):
        rng = random.Random(seed)
        metadata: dict[str, Value] = {f"key.{i}": some_value(rng) for i in range(rng.randrange(8))}
        if seed % 3 == 0:
            metadata["general.alignment"] = 1 << rng.randrange(3, 13)
        tensors = [some_tensor(rng, i, rng.choice(MAINLINE)) for i in range(rng.randrange(6))]
        path = tmp_path / f"{seed}.gguf"
        write_gguf(path, metadata, tensors)
        with open_gguf(path) as file:
            assert_equal_to_theirs(file, path)
        path.unlink()


def test_both_readers_see_the_same_in_files_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "theirs.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint32("a", 7)
    writer.add_float64("b", 0.25)
    writer.add_array("c", ["x", "yz"])
    writer.add_array("d", [1, -2, 3])
    writer.add_bool("e", val=True)
    writer.add_tensor("f", np.arange(12, dtype=np.float32).reshape(3, 4))
    writer.add_tensor("g", np.zeros((2, 34), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with open_gguf(path) as file:
        assert_equal_to_theirs(file, path)
