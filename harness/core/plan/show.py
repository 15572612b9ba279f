"""A plan as text for people: merges with their reasons, then every tensor, equal layers folded into one line."""

import re

from harness.core.plan.text import format_bytes, format_layers, format_table
from harness.core.plan.types import MergeDecision, Plan, StoredTensor

_BLOCK = re.compile(r"^blk\.(\d+)\.")


def format_plan(plan: Plan) -> str:
    """What `harness plan --tensors` prints."""
    head = (
        f"{plan.n_params:,} parameters, {format_bytes(plan.model_size_bytes)} on {', '.join(plan.devices)}, "
        f"split mode {plan.options.split_mode}, {len(plan.layer_devices)} layers"
    )
    sections = [_device_lines(plan), _merge_lines(plan.merges), _tensor_lines(plan.tensors)]
    return "\n".join([head, *("\n".join(["", *lines]) for lines in sections if lines)])


def _device_lines(plan: Plan) -> list[str]:
    """What each of several devices does and holds, and what overrides took along."""
    if len(plan.devices) == 1:
        return []
    rows = [("device", "attention of layers", "feed-forward of layers", "bytes")]
    for device in plan.devices:
        layers = enumerate(plan.placement.layers)
        doing = [(i, device in layer.attention.devices, device in layer.feed_forward.devices) for i, layer in layers]
        attention, feed_forward = ([row[0] for row in doing if row[part]] for part in (1, 2))
        n_bytes = sum(tensor.n_bytes for tensor in plan.tensors if tensor.device == device)
        rows.append((device, format_layers(attention), format_layers(feed_forward), format_bytes(n_bytes)))
    return [*format_table(rows), *plan.placement.notes]


def _merge_lines(merges: tuple[MergeDecision, ...]) -> list[str]:
    by_outcome: dict[tuple[str, bool, str], list[int]] = {}
    for merge in merges:
        by_outcome.setdefault((merge.kind, merge.done, merge.reason), []).append(merge.layer)
    rows = [
        (f"merge {kind}", "yes" if done else "no", f"layers {format_layers(layers)}", reason)
        for (kind, done, reason), layers in by_outcome.items()
    ]
    return format_table(rows)


def _tensor_lines(tensors: tuple[StoredTensor, ...]) -> list[str]:
    folded: dict[tuple[str, ...], tuple[list[int], int]] = {}
    for tensor in tensors:
        block = _BLOCK.match(tensor.name)
        layers, n_bytes = folded.get(_row(tensor), ([], 0))
        folded[_row(tensor)] = (layers + ([int(block[1])] if block else []), n_bytes + tensor.n_bytes)
    rows = [
        (row[0].replace("*", format_layers(layers)), *row[1:], format_bytes(n_bytes))
        for row, (layers, n_bytes) in folded.items()
    ]
    return format_table([("tensor", "device", "format", "shape", "layout", "read from", "bytes"), *rows])


def _row(tensor: StoredTensor) -> tuple[str, ...]:
    shape = " x ".join(str(extent) for extent in tensor.shape)
    name = _BLOCK.sub("blk.*.", tensor.name)
    return (name, tensor.device, tensor.format, shape, tensor.layout, _sources(tensor))


def _sources(tensor: StoredTensor) -> str:
    """The file's tensors a stored one is made of, and in how many pieces."""
    names = list(dict.fromkeys(_BLOCK.sub("", piece.tensor) for piece in tensor.pieces))
    listed = ", ".join(names) if len(names) <= 3 else f"{names[0]} … {names[-1]}"
    if any(piece.stride for piece in tensor.pieces):
        return f"{listed} (columns)"
    return listed if len(tensor.pieces) == 1 else f"{listed} ({len(tensor.pieces)} pieces)"
