"""Made models: the dimensions they claim, the same weights in every layout, and files that our own models accept."""

from math import prod
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import UnsupportedError
from harness.core.formats import dequantize
from harness.core.gguf import open_gguf
from harness.core.models import read_model
from harness.core.synth import PRESETS, write_preset, write_tiny
from harness.core.synth.hollow import write_hollow_preset
from harness.core.synth.presets import cut
from harness.core.synth.tensors import tensor_specs
from harness.core.synth.vocabulary import vocabulary
from harness.core.synth.write import write_model

TINY = [name for name in PRESETS if name.startswith("tiny-")]


def n_params(preset: str) -> int:
    return sum(prod(spec.shape) for spec in tensor_specs(PRESETS[preset]))


def size_bytes(preset: str) -> int:
    return sum(prod(spec.shape[:-1]) * spec.format.row_bytes(spec.shape[-1]) for spec in tensor_specs(PRESETS[preset]))


def test_gpt_oss_has_the_parameters_and_bytes_that_llama_bench_prints() -> None:
    assert f"{n_params('gpt-oss-20b') / 1e9:.2f}" == "20.91"
    assert f"{size_bytes('gpt-oss-20b') / 2**30:.2f}" == "11.27"


def test_qwen3_has_the_parameters_its_authors_state() -> None:
    assert n_params("qwen3-30b-a3b-iq2_xxs") == 30_532_122_624
    assert n_params("qwen3-30b-a3b-iq2_xxs-mainline") == 30_532_122_624


def formats(preset: str) -> dict[str, str]:
    return {spec.name.removesuffix(".weight"): spec.format.name for spec in tensor_specs(PRESETS[preset])}


def test_the_iq2_xxs_mix_is_that_of_ik_llama_cpps_quantiser() -> None:
    found = formats("qwen3-30b-a3b-iq2_xxs")
    attention = [found[f"blk.7.attn_{part}"] for part in ("q", "k", "v", "output")]
    assert attention == ["Q4_K", "Q4_K", "IQ4_K", "Q5_K"]
    assert (found["token_embd"], found["output"]) == ("Q2_K", "Q5_K")
    assert [found[f"blk.{i}.ffn_down_exps"] for i in (0, 5, 6, 47)] == ["Q2_K", "Q2_K", "IQ2_XXS", "IQ2_XXS"]
    assert found["blk.0.ffn_up_exps"] == found["blk.47.ffn_gate_exps"] == "IQ2_XXS"


def test_mainlines_mix_has_no_format_that_mainline_lacks() -> None:
    found = formats("qwen3-30b-a3b-iq2_xxs-mainline")
    assert found["blk.7.attn_v"] == "Q4_K"
    assert found["output"] == "Q5_K"
    assert "IQ4_K" not in found.values()


def test_q4_k_m_spends_more_bits_where_llama_quantize_does() -> None:
    found = formats("qwen3-30b-a3b-q4_k_m")
    assert [found[f"blk.{i}.ffn_down_exps"] for i in (0, 5, 6, 7, 8, 41, 42)] == (
        ["Q6_K", "Q6_K", "Q4_K", "Q4_K", "Q6_K", "Q6_K", "Q6_K"]
    )
    assert found["blk.6.attn_v"] == "Q4_K"
    assert found["blk.0.ffn_up_exps"] == found["token_embd"] == "Q4_K"
    assert found["output"] == "Q6_K"


def test_fewer_layers_take_the_same_share_of_the_vocabulary() -> None:
    assert cut("gpt-oss-20b", 4, None).n_vocab == 201_088 * 4 // 24
    assert cut("gpt-oss-20b", 4, 1000).n_vocab == 1000
    assert cut("gpt-oss-20b", None, None).n_vocab == 201_088


@pytest.mark.parametrize(
    ("preset", "layers", "vocab"), [("gpt-oss", None, None), ("tiny-llama", 3, None), ("tiny-llama", 0, None)]
)
def test_what_cannot_be_made_is_refused_with_what_can(preset: str, layers: int | None, vocab: int | None) -> None:
    with pytest.raises(UnsupportedError, match=r"gpt-oss-20b|1 to 2 layers"):
        cut(preset, layers, vocab)


def test_a_preset_can_have_another_number_of_experts_of_the_same_shape(tmp_path: Path) -> None:
    write_preset("tiny-gpt-oss", tmp_path / "x.gguf", layers=1, n_expert=4)
    write_hollow_preset("tiny-gpt-oss", tmp_path / "hollow.gguf", layers=1, n_expert=4)
    for name in ("x", "hollow"):
        with open_gguf(tmp_path / f"{name}.gguf") as file:
            assert read_model(file).n_expert == 4
            assert file.tensors["blk.0.ffn_up_exps.weight"].shape == (4, 160, 288)
    assert cut("tiny-gpt-oss", 1, None).n_expert == 8


@pytest.mark.parametrize(("preset", "why"), [("tiny-gpt-oss", "each token takes 3"), ("tiny-llama", "it has none")])
def test_fewer_experts_than_a_token_takes_are_refused(preset: str, why: str) -> None:
    with pytest.raises(UnsupportedError, match=f"cannot have 2 experts, since {why}"):
        cut(preset, 1, None, 2)


def test_a_hollow_preset_has_the_tensors_of_the_full_one(tmp_path: Path) -> None:
    write_preset("tiny-gpt-oss", tmp_path / "full.gguf", layers=2)
    write_hollow_preset("tiny-gpt-oss", tmp_path / "hollow.gguf", layers=2)
    with open_gguf(tmp_path / "full.gguf") as full, open_gguf(tmp_path / "hollow.gguf") as hollow:
        shapes = {name: (tensor.shape, tensor.format) for name, tensor in full.tensors.items()}
        assert {name: (tensor.shape, tensor.format) for name, tensor in hollow.tensors.items()} == shapes


def test_a_large_vocabulary_has_no_token_twice_and_a_merge_for_each_longer_one() -> None:
    made = vocabulary(70_000, "gpt-2")
    tokens, merges = list(made["tokenizer.ggml.tokens"]), list(made["tokenizer.ggml.merges"])  # type: ignore[arg-type]
    assert len(set(tokens)) == len(tokens) == 70_000
    assert len(tokens[256 + 65_536]) == 3
    assert [merge.replace(" ", "") for merge in merges] == tokens[256:-3]
    assert all(part in tokens[:65_792] for part in merges[-1].split(" "))


def test_a_vocabulary_without_room_for_all_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="260 or more"):
        write_preset("tiny-llama", tmp_path / "m.gguf", vocab=100)


@pytest.mark.parametrize("preset", TINY)
def test_a_tiny_model_is_a_model(preset: str, tmp_path: Path) -> None:
    write_preset(preset, tmp_path / "m.gguf")
    with open_gguf(tmp_path / "m.gguf") as file:
        model = read_model(file)
        assert model.n_vocab == len(file.metadata["tokenizer.ggml.tokens"]) == 331
        assert len(set(file.metadata["tokenizer.ggml.tokens"])) == 331
        for name, tensor in file.tensors.items():
            assert np.isfinite(dequantize(tensor.format, file.read(name), tensor.n_columns)).all(), name


def test_the_same_seed_makes_the_same_file(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_preset("tiny-qwen3moe", tmp_path / name, seed=seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c
    assert len(a) == len(c)


def expert_rows(path: Path) -> dict[str, list[bytes]]:
    """Rows of gate, up and down of block 1 by expert, however the file lays them out."""
    with open_gguf(path) as file:
        block = {name.removeprefix("blk.1."): name for name in file.tensors if name.startswith("blk.1.ffn")}
        if "ffn_gate.0.weight" in block:
            roles = ("ffn_gate", "ffn_up", "ffn_down")
            return {r: [file.read(block[f"{r}.{e}.weight"]).tobytes() for e in range(8)] for r in roles}
        down = file.read(block["ffn_down_exps.weight"])
        if "ffn_gate_up_exps.weight" in block:
            gate, up = np.split(np.array(np.split(file.read(block["ffn_gate_up_exps.weight"]), 8)), 2, axis=1)
        else:
            gate, up = (np.array(np.split(file.read(block[f"ffn_{r}_exps.weight"]), 8)) for r in ("gate", "up"))
        by_role = {"ffn_gate": gate, "ffn_up": up, "ffn_down": np.array(np.split(down, 8))}
        return {role: [rows.tobytes() for rows in experts] for role, experts in by_role.items()}


def test_an_expert_has_the_same_weights_in_every_layout(tmp_path: Path) -> None:
    found = []
    for layout in ("stacked", "merged", "single"):
        write_tiny(tmp_path / layout, "mixtral", {"default": "Q8_0"}, experts=layout)  # type: ignore[arg-type]
        found.append(expert_rows(tmp_path / layout))
    assert found[0] == found[1] == found[2]
    matrices = [matrix for role in found[0].values() for matrix in role]
    assert len(set(matrices)) == len(matrices) == 24


def test_biases_follow_their_experts_into_the_merged_tensor(tmp_path: Path) -> None:
    for layout in ("stacked", "merged"):
        write_tiny(tmp_path / layout, "gpt-oss", {"default": "Q8_0"}, experts=layout)  # type: ignore[arg-type]
    with open_gguf(tmp_path / "stacked") as stacked, open_gguf(tmp_path / "merged") as merged:
        gate, up = (stacked.read(f"blk.0.ffn_{role}_exps.bias") for role in ("gate", "up"))
        assert np.array_equal(merged.read("blk.0.ffn_gate_up_exps.bias"), np.concatenate([gate, up], axis=1))


def test_formats_are_chosen_by_role_and_dimensions_by_name(tmp_path: Path) -> None:
    mix = {"default": "Q4_K", "attn_v": "Q6_K", "ffn_down": "IQ3_XXS", "output": "BF16"}
    write_tiny(tmp_path / "m", "llama", mix, n_embd=512, n_ff=768, n_head=8, n_layer=1, n_vocab=300)
    with open_gguf(tmp_path / "m") as file:
        assert file.tensors["blk.0.attn_v.weight"].format.name == "Q6_K"
        assert file.tensors["blk.0.ffn_down.weight"].format.name == "IQ3_XXS"
        assert file.tensors["output.weight"].format.name == "BF16"
        assert file.tensors["blk.0.ffn_up.weight"].format.name == "Q4_K"
        assert file.tensors["token_embd.weight"].shape == (300, 512)
        assert "blk.1.attn_v.weight" not in file.tensors


def test_a_made_model_can_be_split(tmp_path: Path) -> None:
    write_model(tmp_path / "m.gguf", PRESETS["tiny-qwen3moe"], "m")
    parts = write_model(tmp_path / "m.gguf", PRESETS["tiny-qwen3moe"], "m", n_files=3)
    with open_gguf(tmp_path / "m.gguf") as whole, open_gguf(parts[1]) as split:
        assert list(whole.tensors) == list(split.tensors)
        assert all(np.array_equal(whole.read(name), split.read(name)) for name in whole.tensors)
