"""Mistakes that no single value shows: two values that do not go together. Runs after every value was read alone."""

from collections.abc import Mapping
from typing import Any

from harness.config.nodes import MappingNode, Node, SequenceNode
from harness.config.place import Place
from harness.config.problems import Problems
from harness.config.stand_in import PRESETS


def check(root: MappingNode, values: Mapping[str, Any], problems: Problems) -> None:
    """Report what does not go together in the config whose values are `values`."""
    place = Place("", problems)
    _check_samples(root, values, place)
    _check_stand_ins(root, values, place)
    for at, node, axes in _axes_everywhere(root, values, place):
        _check_engines(node, axes, values.get("peers", {}), at)
        _check_batch(node, axes, at)


def _check_samples(root: MappingNode, values: Mapping[str, Any], place: Place) -> None:
    samples = values.get("samples", {})
    node = root.get("samples")
    if node is not None and samples.get("min", 3) > samples.get("max", 50):
        fewest, most = samples.get("min", 3), samples.get("max", 50)
        place.key("samples").fail(node, f"min is {fewest}, above max, which is {most}")


def _check_stand_ins(root: MappingNode, values: Mapping[str, Any], place: Place) -> None:
    models = root.get("models")
    for name, entry in values.get("models", {}).items():
        node = models.get(name) if isinstance(models, MappingNode) else None
        stand_in = node.get("stand_in") if isinstance(node, MappingNode) else None
        given = entry.get("stand_in", {})
        most = PRESETS[given["preset"]].n_layers if "preset" in given else given.get("layers", 0)
        if isinstance(stand_in, MappingNode) and given.get("layers", 0) > most:
            what = f"{given['layers']} is more than {given['preset']} has, which is {most}"
            at = place.key("models").key(name).key("stand_in").key("layers")
            at.fail(stand_in.get("layers") or stand_in, what)


def _axes_everywhere(
    root: MappingNode, values: Mapping[str, Any], place: Place
) -> list[tuple[Place, MappingNode, Mapping[str, Any]]]:
    """Every mapping of axes in the config: the matrix, and the points of include and exclude."""
    found: list[tuple[Place, Node | None, Mapping[str, Any]]] = [
        (place.key("matrix"), root.get("matrix"), values.get("matrix", {}))
    ]
    for key in ("include", "exclude"):
        nodes, points = root.get(key), values.get(key, ())
        if isinstance(nodes, SequenceNode) and len(nodes.items) == len(points):
            items = zip(nodes.items, points, strict=True)
            found += [(place.key(key).item(index), node, point) for index, (node, point) in enumerate(items)]
    return [(at, node, axes) for at, node, axes in found if isinstance(node, MappingNode)]


def _check_engines(node: MappingNode, axes: Mapping[str, Any], peers: Mapping[str, str], place: Place) -> None:
    for engine in axes.get("engine", ()):
        base, _, name = engine.partition(":")
        if base != "llama_bench" or name in peers or (not name and len(peers) == 1):
            continue
        known = f"known: {', '.join(peers)}" if peers else "add peers: {NAME: PATH of llama-bench}"
        what = f"no executable '{name}' under peers" if name else "which executable? write llama_bench:NAME"
        place.key("engine").fail(node.get("engine") or node, what, known)


def _check_batch(node: MappingNode, axes: Mapping[str, Any], place: Place) -> None:
    ubatch, batch = axes.get("ubatch", ()), axes.get("batch", ())
    if ubatch and batch and min(ubatch) > max(batch):
        place.key("ubatch").fail(
            node.get("ubatch") or node,
            f"{min(ubatch)} is more than batch, which is {max(batch)}",
            "a batch holds ubatches",
        )
