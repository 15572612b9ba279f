"""The merge plan per layer: what was merged, what was not and why, as the plan itself decided."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.records.record import Record
from harness.report import numbers
from harness.report.blocks import Section
from harness.report.table import Column, Table, number, words
from harness.report.variants import Group, Variant

NAMES = {
    "up_gate": "experts' up and gate",
    "qkv": "Q, K and V",
    "up_gate_shared": "shared expert's up and gate",
}


@dataclass(frozen=True)
class Decision:
    """What became of one possible merge in one layer."""

    kind: str
    layer: int
    done: bool
    reason: str


def section(group: Group) -> Section | None:
    """Layers with the same outcome and reason share a row."""
    rows = []
    for variant in group.variants:
        for (kind, done, reason), layers in _grouped(decisions(group.of(variant))).items():
            rows.append(
                (
                    words(variant.label, variant=variant.index),
                    words(NAMES.get(kind, kind)),
                    words("merged" if done else "not merged", "good" if done else "quiet"),
                    words(numbers.spans(layers)),
                    number(len(layers), str(len(layers))),
                    words(reason),
                )
            )
    if not rows:
        return None
    heads = (
        ("variant", "text"),
        ("what", "text"),
        ("outcome", "text"),
        ("layers", "text"),
        ("number", "number"),
        ("why", "text"),
    )
    columns = tuple(Column(head, kind) for head, kind in heads)  # type: ignore[arg-type]
    table = Table(f"{group.key}-merges-table", "The merge plan", columns, tuple(rows), _size_note(group))
    return Section(f"{group.key}-merges", "Merge plan per layer", "Merges", (table,))


def decisions(records: Sequence[Record]) -> tuple[Decision, ...]:
    """The decisions of the first record that tells any."""
    for record in records:
        found = tuple(_parsed(record.load.plan.get("merges"))) if record.load is not None else ()
        if found:
            return found
    return ()


def _parsed(merges: object) -> Iterator[Decision]:
    """Plans are written by engines and may be imported: what has another shape is passed over."""
    for entry in merges if isinstance(merges, list | tuple) else ():
        if isinstance(entry, Mapping):
            told = str(entry.get("kind", "")), entry.get("done") is True, str(entry.get("reason", ""))
            yield from (Decision(told[0], layer, *told[1:]) for layer in _layers(entry))


def _layers(entry: Mapping[str, object]) -> Iterator[int]:
    layers = entry.get("layers", [entry.get("layer")])
    for layer in layers if isinstance(layers, list | tuple) else ():
        if isinstance(layer, int):
            yield layer


def _grouped(found: Sequence[Decision]) -> dict[tuple[str, bool, str], list[int]]:
    grouped: dict[tuple[str, bool, str], list[int]] = {}
    for decision in found:
        grouped.setdefault((decision.kind, decision.done, decision.reason), []).append(decision.layer)
    return grouped


def _size_note(group: Group) -> str:
    sizes = {size for variant in group.variants for size in _sizes(group, variant)}
    if len(sizes) == 1:
        return f"Every variant reports the same model size, {numbers.size(sizes.pop())}: a merge adds no bytes."
    return ""


def _sizes(group: Group, variant: Variant) -> tuple[int, ...]:
    return tuple(record.load.model_size for record in group.of(variant) if record.load is not None)
