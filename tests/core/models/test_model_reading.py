from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.core.errors import GgufError, UnsupportedError
from harness.core.formats.table import BY_NAME
from harness.core.models import Model, architectures
from harness.core.models.describe import describe
from harness.core.models.recipe import DensePart, ExpertsPart

Q8 = {"default": "Q8_0"}


def test_each_architecture_is_found_by_the_name_in_the_file() -> None:
    assert list(architectures()) == ["gpt-oss", "llama", "qwen3moe"]


def test_a_dense_llama_has_dense_parts_and_rotates_neighbours(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-llama"))
    layer = model.recipe.layers[0]
    assert isinstance(layer.feed_forward, DensePart)
    assert layer.attention.rope == "norm"
    assert (model.n_expert, model.top_k) == (0, 0)


def test_gpt_oss_has_biases_sinks_and_a_window_on_even_layers(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    attention = [layer.attention for layer in model.recipe.layers]
    assert [part.window for part in attention] == [12, 0, 12]
    assert all(part.sinks is not None and part.qkv.q.bias is not None for part in attention)
    experts = model.recipe.layers[0].feed_forward
    assert isinstance(experts, ExpertsPart)
    assert (experts.gating, experts.renorm, experts.activation) == ("softmax_topk", False, "swiglu_oai")
    assert experts.router.bias is not None
    assert experts.down.bias is not None


def test_qwen3moe_normalises_heads_and_renormalises_experts(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-qwen3moe"))
    layer = model.recipe.layers[0]
    assert layer.attention.q_norm is not None
    assert layer.attention.k_norm is not None
    assert isinstance(layer.feed_forward, ExpertsPart)
    assert (layer.feed_forward.gating, layer.feed_forward.renorm) == ("softmax", True)


@pytest.mark.parametrize("experts", ["stacked", "merged", "single"])
def test_experts_are_the_same_weights_however_the_file_keeps_them(made: Any, model_of: Any, experts: str) -> None:
    """The bytes that gate of expert 2 names are 2·n_ff rows apart where they come merged, n_ff where stacked."""
    model = model_of(made("mixtral", Q8, experts=experts))
    part = model.recipe.layers[1].feed_forward
    assert isinstance(part, ExpertsPart)
    gate = part.gate_up.gate.weight
    assert gate.shape == (8, 160, 288)
    offsets = {"stacked": 2 * gate.slice_bytes, "merged": 4 * gate.slice_bytes, "single": 0}
    assert gate.slices[2].offset == offsets[experts]
    assert bool(part.gate_up.merged_name) == (experts == "merged")


def test_size_and_parameters_are_those_of_the_file(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-gpt-oss"))
    tensors = model.file.tensors.values()
    assert model.size_bytes == sum(tensor.n_bytes for tensor in tensors)
    assert model.n_params == sum(np.prod(tensor.shape) for tensor in tensors)


WRONG_METADATA = [
    ({"gpt-oss.attention.head_count": 7}, "7 attention heads cannot share 2"),
    ({"gpt-oss.attention.head_count": "6"}, "head_count is '6', not a whole number"),
    ({"gpt-oss.expert_used_count": 9}, "expert_used_count is 9, outside 1 … 8"),
    ({"gpt-oss.expert_count": 0}, "expert_count is 0, outside 1"),
    ({"gpt-oss.expert_count": 4}, "calls for [4, 288]"),
    ({"gpt-oss.embedding_length": 320}, "calls for [331, 320]"),
    ({"gpt-oss.block_count": 4}, "tensor blk.3.attn_norm.weight is missing"),
    ({"gpt-oss.block_count": None}, "block_count is missing"),
    ({"gpt-oss.block_count": 1 << 30}, "outside 1 … 1024"),
    ({"gpt-oss.rope.dimension_count": 63}, "which is odd"),
    ({"gpt-oss.rope.dimension_count": 128}, "outside 2 … 64"),
    ({"gpt-oss.rope.freq_base": float("nan")}, "not a finite positive number"),
    ({"gpt-oss.rope.freq_base": 1.0}, "greater than 1"),
    ({"gpt-oss.rope.scaling.factor": -32.0}, "not a finite positive number"),
    ({"gpt-oss.attention.layer_norm_rms_epsilon": True}, "is True, not a number"),
    ({"gpt-oss.attention.key_length": 80}, "calls for [480, 288]"),
    ({"gpt-oss.expert_feed_forward_length": 96}, "calls for [8, 96, 288]"),
    ({"general.architecture": None}, "general.architecture is missing"),
]


@pytest.mark.parametrize(("changes", "says"), WRONG_METADATA, ids=[str(changes) for changes, _ in WRONG_METADATA])
def test_metadata_that_contradicts_the_tensors_is_named(
    made: Any, model_of: Any, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(GgufError) as caught:
        model_of(made("tiny-gpt-oss"), changes)
    assert says in str(caught.value)


def test_an_unknown_architecture_is_one_sentence_with_the_known_ones(made: Any, model_of: Any) -> None:
    with pytest.raises(UnsupportedError, match=r"architecture 'mamba' is not built into.*gpt-oss, llama, qwen3moe"):
        model_of(made("tiny-llama"), {"general.architecture": "mamba"})


def test_tensors_without_a_place_are_all_listed(made: Any, model_of: Any) -> None:
    path = made("tiny-qwen3moe")
    extra = model_of(path).file.tensors["output_norm.weight"]
    with pytest.raises(UnsupportedError, match=r"2 tensors have no place in architecture qwen3moe.*: odd\.weight, b"):
        model_of(path, tensors={"odd.weight": extra, "blk.0.attn_q.scale": extra})


def test_a_missing_tensor_is_named(made: Any, model_of: Any) -> None:
    with pytest.raises(GgufError, match=r"blk\.1\.attn_sinks\.weight is missing"):
        model_of(made("tiny-gpt-oss"), tensors={"blk.1.attn_sinks.weight": None})


def test_a_model_without_an_output_uses_its_embedding(made: Any, model_of: Any) -> None:
    model = model_of(made("tiny-llama"), tensors={"output.weight": None})
    assert model.recipe.output == model.recipe.embedding


def test_a_norm_of_another_shape_is_refused(made: Any, model_of: Callable[..., Model]) -> None:
    path = made("llama", {"default": "F16"}, n_vocab=288)
    wrong = model_of(path).file.tensors["token_embd.weight"]
    with pytest.raises(GgufError, match=r"output_norm\.weight has shape \[288, 288\]"):
        model_of(path, tensors={"output_norm.weight": wrong})


def test_vectors_that_are_not_float32_are_all_listed(made: Any, model_of: Callable[..., Model]) -> None:
    path = made("tiny-gpt-oss")
    names = ("blk.0.attn_q.bias", "blk.2.attn_sinks.weight", "output_norm.weight")
    tensors = model_of(path).file.tensors
    wrong = {name: replace(tensors[name], format=BY_NAME["F16"]) for name in names}
    with pytest.raises(UnsupportedError, match="must be F32, which these are not") as caught:
        model_of(path, tensors=wrong)
    assert all(f"{name} (F16)" in str(caught.value) for name in names)


def test_rotary_divisors_in_the_file_divide_the_frequencies(made: Any, model_of: Any) -> None:
    """The first 32 numbers of the output norm serve as divisors."""
    path = made("tiny-llama")
    plain = model_of(path)
    norm = plain.file.tensors["output_norm.weight"]
    divisors = plain.file.read("output_norm.weight").view(np.float32)[0, :32]
    model = model_of(
        path, tensors={"rope_freqs.weight": replace(norm, name="rope_freqs.weight", shape=(32,), n_bytes=128)}
    )
    ratio = plain.recipe.rope_tables[0].frequencies / model.recipe.rope_tables[0].frequencies
    np.testing.assert_allclose(ratio, divisors)


def test_the_description_tells_formats_by_role_and_which_merges_are_possible(made: Any) -> None:
    info = describe(made("tiny-qwen3moe"))
    assert info.formats["attn_v.weight"] == ("Q4_K",)
    assert {(merge.kind, merge.done) for merge in info.merges} == {("qkv", True), ("up_gate", True)}
    assert info.n_expert == 8


def test_single_experts_are_described_as_one_role(made: Any) -> None:
    info = describe(made("mixtral", Q8, experts="single"))
    assert info.formats["ffn_down.weight"] == ("Q8_0",)
