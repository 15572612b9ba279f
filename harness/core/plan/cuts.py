"""What a device holds of each tensor of a part: all of it, or the rows or columns of its share."""

from collections.abc import Iterator

from harness.core.models.recipe import AttentionPart, DensePart, ExpertsPart, Weight
from harness.core.plan.groups import Group
from harness.core.plan.pieces import ColumnRange, Range, RowRange, all_rows
from harness.core.plan.placement import Part
from harness.core.plan.shares import Share

_FIRST = frozenset({"q", "k", "v", "qk", "qkv", "gate", "up", "gate_up"})
_SECOND = frozenset({"o", "down"})
_WITH_HEADS = frozenset({"q_norm", "k_norm"})
_EVERY_SLOT = frozenset({"router"})

Cut = tuple[str, tuple[Range, ...]]
"""A device, and what it holds of a group's weights."""


def cuts(group: Group, part: Part, recipe: AttentionPart | DensePart | ExpertsPart) -> Iterator[Cut]:
    """For every device that holds something of `group`. Biases follow their matrices.

    With partial sums a bias of the second matrix is added once, by the first device.
    """
    stem = group.role.removesuffix("_bias")
    if part.how == "whole":
        yield part.main, _whole(group)
    elif stem in _FIRST or stem == "sinks":
        for share in part.shares:
            yield share.device, tuple(_rows_of(group, stem, index, share, recipe) for index in range(_n(group)))
    elif stem in _SECOND:
        yield from _second(group, part, recipe)
    else:
        for device in _whole_on(stem, part):
            yield device, _whole(group)


def _n(group: Group) -> int:
    return len(group.weights)


def _whole(group: Group) -> tuple[Range, ...]:
    return tuple(all_rows(weight) for weight in group.weights)


def _whole_on(stem: str, part: Part) -> tuple[str, ...]:
    """Devices that hold a small tensor as it is: those of the shares, or the main one where it alone normalises."""
    if part.how == "graph" or stem in _WITH_HEADS:
        return tuple(share.device for share in part.shares)
    return part.devices if stem in _EVERY_SLOT else (part.main,)


def _rows_of(
    group: Group, stem: str, index: int, share: Share, recipe: AttentionPart | DensePart | ExpertsPart
) -> RowRange:
    """The share's rows of one weight of the group."""
    height = 1
    if isinstance(recipe, AttentionPart):
        height = _rows_per_kv_head(recipe, "sinks" if stem == "sinks" else stem[index])
    return RowRange(group.weights[index], share.first * height, share.count * height)


def _rows_per_kv_head(part: AttentionPart, what: str) -> int:
    n_group = part.n_head // part.n_head_kv
    return {"q": n_group * part.head_dim, "k": part.head_dim, "v": part.head_dim_v, "sinks": n_group}[what]


def _second(group: Group, part: Part, recipe: AttentionPart | DensePart | ExpertsPart) -> Iterator[Cut]:
    (weight,) = group.weights
    if part.how == "row":
        for share in part.out_shares:
            yield share.device, (RowRange(weight, share.first, share.count),)
    elif group.role.endswith("_bias"):
        yield part.shares[0].device, (all_rows(weight),)
    else:
        for share in part.shares:
            yield share.device, (_columns_of(weight, share, recipe),)


def _columns_of(weight: Weight, share: Share, recipe: AttentionPart | DensePart | ExpertsPart) -> ColumnRange:
    width = 1
    if isinstance(recipe, AttentionPart):
        width = recipe.n_head // recipe.n_head_kv * recipe.head_dim_v
    return ColumnRange(weight, share.first * width, share.count * width)
