"""A plan as text for people: merges with their reasons, then every tensor, equal layers folded into one line."""

import re

from harness.core.plan.text import format_bytes, format_layers, format_table
from harness.core.plan.types import MergeDecision, Plan, StoredTensor

_BLOCK = re.compile(r"^blk\.(\d+)\.")


def format_plan(plan: Plan) -> str:
    """What `harness plan --tensors` prints."""
    head = (
        f"{plan.n_params:,} parameters, {format_bytes(plan.model_size_bytes)} on {', '.join(plan.options.devices)}, "
        f"split mode {plan.options.split_mode}, {len(plan.layer_devices)} layers"
    )
    return "\n".join([head, "", *_merge_lines(plan.merges), "", *_tensor_lines(plan.tensors)])


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
    return listed if len(tensor.pieces) == 1 else f"{listed} ({len(tensor.pieces)} pieces)"
