"""What `harness model info` tells about a file: size, shape, formats by role, merges that are possible."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.core.gguf import GgufFile, open_gguf
from harness.core.models.read import read_model
from harness.core.models.recipe import Model
from harness.core.options import Options
from harness.core.plan.merges import decide_merges
from harness.core.plan.types import MergeDecision

_BLOCK = re.compile(r"^blk\.\d+\.")
_EXPERT = re.compile(r"\.\d+\.weight$")


@dataclass(frozen=True)
class ModelInfo:
    """A file in numbers and words. `formats` maps a tensor's role to its formats, most frequent first."""

    name: str
    arch: str
    files: tuple[str, ...]
    size_bytes: int
    n_params: int
    n_layer: int
    n_embd: int
    n_vocab: int
    n_ctx_train: int
    n_expert: int
    top_k: int
    formats: dict[str, tuple[str, ...]]
    merges: tuple[MergeDecision, ...]


def describe(path: Path | str) -> ModelInfo:
    """Everything about the model in `path` that can be told without weights. Errors: GgufError, UnsupportedError."""
    with open_gguf(path) as file:
        model = read_model(file)
        return ModelInfo(
            name=model.name,
            arch=model.arch,
            files=tuple(shard.name for shard in file.shards),
            size_bytes=model.size_bytes,
            n_params=model.n_params,
            n_layer=model.n_layer,
            n_embd=model.n_embd,
            n_vocab=model.n_vocab,
            n_ctx_train=model.n_ctx_train,
            n_expert=model.n_expert,
            top_k=model.top_k,
            formats=_formats(file),
            merges=possible_merges(model),
        )


def possible_merges(model: Model) -> tuple[MergeDecision, ...]:
    """What would become of every merge if all were asked for."""
    everything = Options(merge_up_gate=True, merge_qkv=True, merge_up_gate_shared=True)
    return decide_merges(model, everything, model.n_layer)


def _formats(file: GgufFile) -> dict[str, tuple[str, ...]]:
    by_role: dict[str, list[str]] = {}
    for name, tensor in file.tensors.items():
        role = _EXPERT.sub(".weight", _BLOCK.sub("", name))
        by_role.setdefault(role, []).append(tensor.format.name)
    return {role: _by_frequency(names) for role, names in by_role.items()}


def _by_frequency(names: Iterable[str]) -> tuple[str, ...]:
    listed = list(names)
    return tuple(sorted(set(listed), key=lambda name: (-listed.count(name), name)))
