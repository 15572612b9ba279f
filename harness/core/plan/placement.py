"""Which device does which part of the model, decided before any tensor is placed.

A layer has two parts, attention and feed-forward; a part is done whole by one device, or shared out. Plan and program
both read this, so that weights and operations cannot be on different devices.
"""

from dataclasses import dataclass
from typing import Literal

from harness.core.plan.shares import Share

How = Literal["whole", "graph", "row"]


@dataclass(frozen=True)
class Part:
    """One part on its devices.

    `shares` are of KV heads, FFN columns or vocabulary rows. `how` "whole": one share, all of it. "graph": every
    device multiplies its columns of the second matrix too, and partial sums are reduced. "row": the first product's
    results are gathered on `main`, and `out_shares` says whose rows of the second matrix make the result.
    """

    how: How
    shares: tuple[Share, ...]
    main: str
    out_shares: tuple[Share, ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        """All that take part, in order."""
        taking_part = (share.device for share in (*self.shares, *self.out_shares))
        own = (self.main,) if self.how == "row" else ()
        return tuple(dict.fromkeys((*own, *taking_part)))


@dataclass(frozen=True)
class LayerPlacement:
    """The two parts of a layer."""

    attention: Part
    feed_forward: Part

    @property
    def devices(self) -> tuple[str, ...]:
        """All that take part in the layer, in order."""
        return tuple(dict.fromkeys((*self.attention.devices, *self.feed_forward.devices)))


@dataclass(frozen=True)
class Placement:
    """The whole model: the embedding on one device, the layers, and the head (output norm and logits)."""

    embedding: str
    layers: tuple[LayerPlacement, ...]
    head: Part
    notes: tuple[str, ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        """All that take part, in order of their first use."""
        parts = (device for layer in self.layers for device in layer.devices)
        return tuple(dict.fromkeys((self.embedding, *parts, *self.head.devices)))


def whole(device: str, total: int) -> Part:
    """All of a part on one device."""
    return Part("whole", (Share(device, 0, total),), device)
