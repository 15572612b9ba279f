"""The models of a config on this machine: which file each is, or how it will be made. Opens no file."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.config.search import find_model
from harness.config.stand_in import cut
from harness.config.types import Config, ModelEntry
from harness.errors import ModelNotFound
from harness.records.case import ModelRef, Note

Finder = Callable[[str, Path, str], Path]


@dataclass(frozen=True)
class FoundModel:
    """A model entry and what the search came to; `missing` is why it cannot be measured."""

    entry: ModelEntry
    ref: ModelRef
    note: Note | None = None
    missing: str = ""

    def at(self, layers: int | None, engine: str) -> ModelRef:
        """The model of a case: the fake engine needs no file, a stand-in is cut to `layers`."""
        if engine == "fake":
            return ModelRef(self.entry.name)
        if self.ref.stand_in is None:
            return self.ref
        return replace(self.ref, stand_in=cut(self.ref.stand_in, layers))


def find_models(config: Config, find: Finder = find_model) -> tuple[FoundModel, ...]:
    """Every model of the config, found or not."""
    return tuple(_found(entry, config.folder, find) for entry in config.models)


def _found(entry: ModelEntry, folder: Path, find: Finder) -> FoundModel:
    wanted = entry.gguf or entry.mixture_of
    if wanted is None:
        return FoundModel(entry, ModelRef(entry.name, stand_in=entry.stand_in))
    try:
        path = str(find(wanted, folder, entry.get))
    except ModelNotFound as error:
        if entry.stand_in is None:
            missing = f"{entry.mark}: models.{entry.name}: {error}"
            return FoundModel(entry, ModelRef(entry.name), missing=missing)
        text = f"{wanted} is in none of the places searched; a stand-in with random weights takes its place"
        return FoundModel(entry, ModelRef(entry.name, stand_in=entry.stand_in), Note(f"models.{entry.name}", text))
    if entry.mixture_of:
        return FoundModel(entry, ModelRef(entry.name, mixture_of=path))
    return FoundModel(entry, ModelRef(entry.name, path))
