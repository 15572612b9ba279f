"""From an open file to a model: finds the architecture's module and lets it make the recipe.

An architecture is one file `arch_<name>.py` beside this one, with `NAME` and `recipe(keys, tensors)`; no list names it.
"""

import math
import pkgutil
from importlib import import_module
from typing import Protocol, cast

import harness.core.models as package
from harness.core.errors import GgufError, UnsupportedError
from harness.core.gguf import GgufFile
from harness.core.models.keys import Keys
from harness.core.models.recipe import Model, Recipe
from harness.core.models.tensors import Tensors


class Architecture(Protocol):
    """What an architecture's module provides."""

    NAME: str

    def recipe(self, keys: Keys, tensors: Tensors) -> Recipe:
        """The model as data. Errors: GgufError, UnsupportedError."""
        ...


def architectures() -> dict[str, Architecture]:
    """Every architecture this core knows, by the name files give it."""
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__) if found.name.startswith("arch_"))
    modules = (cast("Architecture", import_module(f"{package.__name__}.{name}")) for name in names)
    return {module.NAME: module for module in modules}


def read_model(file: GgufFile) -> Model:
    """The model in an open file; reads no weights. Errors: GgufError, UnsupportedError."""
    metadata = file.metadata
    arch = metadata.get("general.architecture")
    if not isinstance(arch, str):
        raise GgufError(f"{file.shards[0].name}: general.architecture is missing; this is not a model file")
    module = _architecture(arch)
    keys, tensors = Keys(metadata, arch), Tensors(file)
    recipe = module.recipe(keys, tensors)
    tensors.refuse_offenders(arch)
    name = metadata.get("general.name")
    return Model(
        file=file,
        arch=arch,
        name=name if isinstance(name, str) and name else file.shards[0].stem,
        recipe=recipe,
        n_embd=recipe.embedding.columns,
        n_vocab=recipe.embedding.rows,
        n_ctx_train=keys.integer("context_length", 0, low=0, high=1 << 30),
        n_params=sum(math.prod(tensor.shape) for tensor in file.tensors.values()),
        size_bytes=sum(tensor.n_bytes for tensor in file.tensors.values()),
    )


def _architecture(arch: str) -> Architecture:
    known = architectures()
    if arch not in known:
        raise UnsupportedError(
            f"architecture {arch[:64]!r} is not built into this core, which knows {', '.join(known)}; "
            "use a peer engine for this model, or add its module to harness/core/models"
        )
    return known[arch]
