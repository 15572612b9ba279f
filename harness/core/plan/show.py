"""A plan as text for people: merges with their reasons, then every tensor, equal layers folded into one line."""

import re
from collections.abc import Iterable

from harness.core.plan.types import MergeDecision, Plan, StoredTensor

_BLOCK = re.compile(r"^blk\.(\d+)\.")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def format_plan(plan: Plan) -> str:
    """What `harness plan --tensors` prints."""
    head = (
        f"{plan.n_params:,} parameters, {format_bytes(plan.model_size_bytes)} on {', '.join(plan.options.devices)}, "
        f"split mode {plan.options.split_mode}, {len(plan.layer_devices)} layers"
    )
    return "\n".join([head, "", *_merge_lines(plan.merges), "", *_tensor_lines(plan.tensors)])


def format_bytes(n: float) -> str:
    """1.5 KiB, 12.1 GiB: three digits or so."""
    unit = 0
    while n >= 1024 and unit < len(_UNITS) - 1:
        n, unit = n / 1024, unit + 1
    return f"{n:.0f} B" if unit == 0 else f"{n:.4g} {_UNITS[unit]}"


def format_layers(layers: Iterable[int]) -> str:
    """0-3,7: ascending layer numbers with runs folded."""
    runs: list[list[int]] = []
    for layer in sorted(set(layers)):
        if runs and runs[-1][1] + 1 == layer:
            runs[-1][1] = layer
        else:
            runs.append([layer, layer])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)


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


def format_table(rows: list[tuple[str, ...]]) -> list[str]:
    """Left-aligned columns two spaces apart."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
