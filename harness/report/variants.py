"""Which cases stand beside each other: groups of variants, one colour each, and the pairs in which one axis differs.

A variant keeps its index, and so its colour and marker, in every figure and table of a report.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from harness.records.axes import Axes
from harness.records.record import Record

AXIS_ORDER = (
    "run",
    "merge_up_gate",
    "merge_qkv",
    "merge_up_gate_shared",
    "fused_moe",
    "moe_path",
    "engine",
    "layout",
    "repack",
    "mmap",
    "split_mode",
    "tensor_split",
    "main_gpu",
    "cpu_moe",
    "n_cpu_moe",
    "expert_copy",
    "override_tensor",
    "threads",
    "ubatch",
    "batch",
    "flash_attn",
    "type_k",
    "type_v",
)
"""Axes that make variants, the one most likely under comparison first."""

STRATA = ("device", "tokens", "cache", "layers")
"""Axes that make groups of their own, unless nothing else varies."""

MOST_VARIANTS = 8
"""As many as there are colours; with more, the last axes of AXIS_ORDER make groups instead."""

SHORT = {
    "merge_up_gate": "merge",
    "merge_qkv": "merge QKV",
    "merge_up_gate_shared": "merge shared",
    "fused_moe": "fuse",
    "split_mode": "split",
    "n_cpu_moe": "CPU layers",
    "expert_copy": "expert copy",
    "moe_path": "path",
    "override_tensor": "override",
}


@dataclass(frozen=True)
class Variant:
    """One combination of the varying axes. `values` are (axis, text) in the group's axis order."""

    index: int
    values: tuple[tuple[str, str], ...]

    @property
    def label(self) -> str:
        """What legends and headings call it: merge on, fuse off."""
        return ", ".join(spoken(axis, value) for axis, value in self.values) or "as configured"

    def value(self, axis: str) -> str:
        """The text of one axis."""
        return dict(self.values)[axis]


@dataclass(frozen=True)
class Pair:
    """Two variants that differ in `axis` alone."""

    axis: str
    base: Variant
    other: Variant

    @property
    def label(self) -> str:
        """Other over base, in short: merge on / off, fuse on."""
        before, after = self.base.value(self.axis), self.other.value(self.axis)
        return ", ".join(part for part in (f"{spoken(self.axis, after)} / {before}", self.setting) if part)

    @property
    def setting(self) -> str:
        """What both share, for a group with more than one pair: fuse on."""
        return ", ".join(spoken(axis, value) for axis, value in self.base.values if axis != self.axis)


@dataclass(frozen=True)
class Group:
    """Records that may be compared: one model, equal in every axis that makes no variant."""

    key: str
    model: str
    stand_in: bool
    setting: str
    axes: tuple[str, ...]
    variants: tuple[Variant, ...]
    records: tuple[tuple[Record, ...], ...]  # by variant

    @property
    def title(self) -> str:
        """The model and what tells this group from its siblings."""
        return f"{self.model}, {self.setting}" if self.setting else self.model

    @property
    def axis(self) -> str:
        """The axis under comparison; "" with a single variant."""
        return next((axis for axis in self.axes if len({v.value(axis) for v in self.variants}) > 1), "")

    def of(self, variant: Variant) -> tuple[Record, ...]:
        """The records of one variant."""
        return self.records[self.variants.index(variant)]

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every variant beside the base value of the axis under comparison, the settings of a default case first."""
        axis = self.axis
        if not axis:
            return ()
        base_value = self.variants[0].value(axis)
        found = []
        for other in self.variants:
            base = self._sibling(other, axis, base_value)
            if base is not None and base != other:
                found.append(Pair(axis, base, other))
        return tuple(sorted(found, key=lambda pair: _strangeness(pair.base)))

    def _sibling(self, variant: Variant, axis: str, value: str) -> Variant | None:
        wanted = tuple((name, value if name == axis else text) for name, text in variant.values)
        return next((v for v in self.variants if v.values == wanted), None)


def groups(records: Sequence[Record]) -> tuple[Group, ...]:
    """The groups of a run in order of first appearance. Imported records are not among them."""
    own = [record for record in records if not record.imported_from]
    varying, compared = _varying(own), _compared(own)
    inner = [axis for axis in varying if axis not in STRATA or axis in compared] or list(varying)
    inner.sort(key=lambda axis: axis not in compared)
    outer = [axis for axis in varying if axis not in inner]
    while len(inner) > 1 and _most_variants(own, inner, outer) > MOST_VARIANTS:
        outer.append(inner.pop())
    # Variants are numbered over the whole report, so that one keeps its colour from group to group.
    numbering = _numbering(own, inner)
    found: dict[tuple[str, ...], list[Record]] = {}
    for record in own:
        found.setdefault((record.case.model.label, *_texts(record, outer)), []).append(record)
    return tuple(
        _group(f"g{number}", members, inner, outer, numbering) for number, members in enumerate(found.values())
    )


def axis_text(record: Record, axis: str) -> str:
    """The value of one axis as people write it in the config."""
    if axis == "run":
        return record.run
    return written(getattr(record.case.axes, axis))


def written(value: object) -> str:
    """A value of an axis as people write it in the config."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return "all" if value is None else str(value)


def spoken(axis: str, value: str) -> str:
    """An axis at a value, in short: merge on."""
    name = SHORT.get(axis, axis)
    return value if axis in {"run", "engine", "device", "layout"} else f"{name} {value}"


def _varying(records: Sequence[Record]) -> tuple[str, ...]:
    known = (*AXIS_ORDER, *STRATA)
    names = [*known, *(field.name for field in fields(Axes) if field.name not in known)]
    return tuple(axis for axis in names if len({axis_text(record, axis) for record in records}) > 1)


def _compared(records: Sequence[Record]) -> frozenset[str]:
    """The axes in which cases of one `comparison` differ: what the config says is under comparison."""
    sets: dict[str, list[Record]] = {}
    for record in records:
        if record.case.comparison:
            sets.setdefault(record.case.comparison, []).append(record)
    return frozenset(axis for members in sets.values() for axis in _varying(members))


def _texts(record: Record, axes: Iterable[str]) -> tuple[str, ...]:
    return tuple(axis_text(record, axis) for axis in axes)


def _most_variants(records: Sequence[Record], inner: Sequence[str], outer: Sequence[str]) -> int:
    seen: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for record in records:
        key = (record.case.model.label, *_texts(record, outer))
        seen.setdefault(key, set()).add(_texts(record, inner))
    return max(map(len, seen.values()), default=0)


def _numbering(records: Sequence[Record], inner: Sequence[str]) -> dict[tuple[str, ...], int]:
    """Off before on, otherwise as in the config; so the base of a comparison always has the first colour."""
    order: list[dict[str, int]] = [{"off": -1} for _ in inner]
    keys = [_texts(record, inner) for record in records]
    for key in keys:
        for position, text in enumerate(key):
            order[position].setdefault(text, len(order[position]))
    ranked = sorted(set(keys), key=lambda key: tuple(order[p][text] for p, text in enumerate(key)))
    return {key: number for number, key in enumerate(ranked)}


def _group(
    key: str,
    members: Sequence[Record],
    inner: Sequence[str],
    outer: Sequence[str],
    numbering: dict[tuple[str, ...], int],
) -> Group:
    by_variant: dict[tuple[str, ...], list[Record]] = {}
    for record in members:
        by_variant.setdefault(_texts(record, inner), []).append(record)
    ordered = sorted(by_variant, key=numbering.__getitem__)
    first = members[0]
    return Group(
        key=key,
        model=first.case.model.label,
        stand_in=first.case.model.stand_in is not None,
        setting=", ".join(spoken(axis, axis_text(first, axis)) for axis in outer),
        axes=tuple(inner),
        variants=tuple(Variant(numbering[texts], tuple(zip(inner, texts, strict=True))) for texts in ordered),
        records=tuple(tuple(by_variant[texts]) for texts in ordered),
    )


def _strangeness(variant: Variant) -> int:
    """How many axes stand off their default: the pair people mean first is the one nearest to the defaults."""
    default = Axes()
    return sum(value != written(getattr(default, axis)) for axis, value in variant.values if axis != "run")
