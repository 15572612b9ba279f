"""Which layers' experts a GPU borrows from the CPU for ubatches of many tokens, layer by layer with a reason.

Their placement does not change: the CPU keeps its experts as its kernels want them. What is borrowed is read from the
file again, expert by expert as a ubatch routes to them, and is forgotten when the next layer's experts come.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from harness.core.models.recipe import ExpertsPart, Model
from harness.core.options import Options
from harness.core.plan.layout import held_bytes, kind_of
from harness.core.plan.placement import Placement
from harness.core.plan.types import Loan, StoredTensor

FROM_TOKENS = 32
"""Where `expert_copy: auto` begins until it is measured: as llama.cpp does."""

CHUNK_BYTES = 8 << 20
"""What is read, sent and re-laid at once: the staging memory beside the rooms."""

BORROWED = frozenset({"gate", "up", "gate_up", "down"})
"""Roles of the matrices that are borrowed; the rest of the part is small and lies on both devices."""


def lends_from(options: Options) -> int:
    """From how many tokens on experts are copied; 0: never."""
    if options.expert_copy == "off":
        return 0
    least = min(FROM_TOKENS, options.ubatch) if options.expert_copy == "auto" else options.expert_copy
    return least if least <= options.ubatch else 0


def decide_loans(model: Model, options: Options, placement: Placement) -> tuple[Loan, ...]:
    """One decision for every layer whose experts lie on a CPU while a GPU does something; none where `off`."""
    if options.expert_copy == "off" or not any(_is_gpu(device) for device in placement.devices):
        return ()
    return tuple(_decide_all(model, options, placement))


def _decide_all(model: Model, options: Options, placement: Placement) -> Iterator[Loan]:
    for index, placed in enumerate(placement.layers):
        part, experts = placed.feed_forward, model.recipe.layers[index].feed_forward
        if not isinstance(experts, ExpertsPart) or part.how != "whole" or kind_of(part.main) != "cpu":
            continue
        why = _obstacle(options, experts, placed.attention.devices)
        borrower = placed.attention.devices[0]
        yield Loan(index, part.main, "" if why else borrower, not why, why or f"{borrower} has the layer's attention")


def _obstacle(options: Options, experts: ExpertsPart, attention: Sequence[str]) -> str:
    """Why nothing is borrowed in a layer, if so."""
    gate, up = experts.gate_up.gate.weight.format, experts.gate_up.up.weight.format
    if lends_from(options) == 0:
        return f"no ubatch has {options.expert_copy} tokens"
    if len(attention) > 1:
        return f"attention is shared by {', '.join(attention)}, and one device borrows"
    if not _is_gpu(attention[0]):
        return f"attention is on {attention[0]}, no GPU"
    if gate != up:
        return f"gate is {gate} and up is {up}; CUDA kernels need one format for both"
    return ""


def room_of(tensor: StoredTensor) -> str:
    """The name of the room a borrowed matrix comes to: layers take turns in it."""
    return tensor.name.split(".", 2)[-1]


def room_bytes(tensors: Sequence[StoredTensor]) -> Mapping[str, int]:
    """What each device needs for what it borrows: of every kind of matrix the largest layer's, all experts of it.

    A chunk on its way comes on top.
    """
    largest: Counter[tuple[str, str]] = Counter()
    for tensor in tensors:
        key = tensor.device, room_of(tensor)
        largest[key] = max(largest[key], held_bytes(tensor))
    rooms = Counter(dict.fromkeys((device for device, _ in largest), CHUNK_BYTES))
    for (device, _), n_bytes in largest.items():
        rooms[device] += n_bytes
    return rooms


def _is_gpu(device: str) -> bool:
    return kind_of(device) in ("cuda", "cuda-emulated")
