"""A config file to a checked `Config`. Every mistake in it is reported at once; nothing is searched, made or run."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.config.axes import ALIASES, AXES
from harness.config.checks import check
from harness.config.document import DOCUMENT
from harness.config.guess import nearest
from harness.config.nodes import MappingNode, Node
from harness.config.override import apply_overrides
from harness.config.place import Place
from harness.config.problems import Problems
from harness.config.source import Mark, Source
from harness.config.tree import MAX_BYTES, parse
from harness.config.types import Changes, Condition, Config, ModelEntry, Peer, Point, Settings
from harness.errors import ConfigError
from harness.records.case import StandIn

_SAMPLING = {
    "precision": "precision",
    "time_budget": "time_budget_ns",
    "processes": "processes",
    "deadline": "deadline_ns",
}


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """The config in file `path`, with `--set` texts applied. Errors: ConfigError that shows every mistake."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}{_neighbour(path)}") from None
    return parse_config(data, str(path), path.parent, overrides)


def parse_config(data: bytes, name: str, folder: Path, overrides: Sequence[str] = ()) -> Config:
    """The config in `data`, called `name` in messages; relative paths begin at `folder`. Errors: as `load_config`."""
    problems = Problems()
    source, root = parse(data, name, problems)
    root = apply_overrides(root, overrides, problems)
    values = DOCUMENT.read(root, Place("", problems))
    if values is not None and isinstance(root, MappingNode):
        check(root, values, problems)
    problems.stop_if_any()
    if values is None or not isinstance(root, MappingNode):
        raise ConfigError(f"{name}: holds no config")
    return _build(values, root, Source(name, _text(source, overrides)), folder)


def _build(values: Mapping[str, Any], root: MappingNode, source: Source, folder: Path) -> Config:
    return Config(
        name=values.get("name") or _name_from(source.name),
        source=source,
        folder=folder,
        models=_models(values["models"], root.get("models") or root),
        settings=Settings(values.get("matrix", {})).changed(_changes(values)),
        matrix_mark=(root.get("matrix") or root).mark,
        include=_points("include", values),
        exclude=_points("exclude", values),
        when=tuple(_condition(index, entry) for index, entry in enumerate(values.get("when", ()))),
        compare=ALIASES.get(values.get("compare", ""), values.get("compare", "")),
        peers=_peers(values.get("peers", {}), root.get("peers") or root),
    )


def _models(entries: Mapping[str, Mapping[str, Any]], node: Node) -> tuple[ModelEntry, ...]:
    marks = _marks(node)
    found = []
    for name, entry in entries.items():
        stand_in = StandIn(**entry["stand_in"]) if "stand_in" in entry else None
        rest = {key: entry[key] for key in ("gguf", "mixture_of", "get") if key in entry}
        found.append(ModelEntry(name, marks.get(name, node.mark), stand_in=stand_in, **rest))
    return tuple(found)


def _peers(paths: Mapping[str, str], node: Node) -> dict[str, Peer]:
    marks = _marks(node)
    return {name: Peer(name, path, marks.get(name, node.mark)) for name, path in paths.items()}


def _marks(node: Node) -> dict[str, Mark]:
    return {key.text: key.mark for key, _ in node.entries} if isinstance(node, MappingNode) else {}


def _changes(values: Mapping[str, Any]) -> Changes:
    sampling = {field: values[key] for key, field in _SAMPLING.items() if key in values}
    samples = values.get("samples", {})
    sampling |= {f"{end}_samples": samples[end] for end in ("min", "max") if end in samples}
    return Changes(
        axes={name: value for name, value in values.items() if name in AXES},
        tests=tuple(test for item in values.get("tests", ()) for test in item),
        sampling=sampling,
        fake=json.dumps(values["fake"], sort_keys=True) if "fake" in values else "",
    )


def _condition(index: int, entry: Mapping[str, Any]) -> Condition:
    patterns = {name: entry.get(name, "") for name in ("device", "model", "engine")}
    return Condition(where=f"when[{index}]", changes=_changes(entry["set"]), **patterns)


def _points(key: str, values: Mapping[str, Any]) -> tuple[Point, ...]:
    return tuple(
        Point(f"{key}[{index}]", entry.get("model", ""), {name: entry[name] for name in entry if name != "model"})
        for index, entry in enumerate(values.get(key, ()))
    )


def _text(source: Source, overrides: Sequence[str]) -> str:
    said = "".join(f"# --set {' '.join(override.split())}\n" for override in overrides)
    return said + source.text


def _name_from(file_name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(file_name).stem).strip("-.")[:64] or "config"


def _neighbour(path: Path) -> str:
    """The config the user may have meant, where one lies beside it."""
    try:
        beside = [file.name for file in path.parent.iterdir() if file.suffix in {".yaml", ".yml"}]
    except OSError:
        return ""
    guess = nearest(path.name, beside)
    return f"; did you mean {path.parent / guess}?" if guess and guess != path.name else ""
