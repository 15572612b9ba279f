"""A plan as text for people: merges with their reasons, then every tensor, equal layers folded into one line."""

import re
from collections.abc import Iterable, Mapping, Sequence

from harness.core.plan.lending import room_bytes
from harness.core.plan.text import format_bytes, format_layers, format_table
from harness.core.plan.types import MergeDecision, Piece, Plan, StoredTensor

_BLOCK = re.compile(r"^blk\.(\d+)\.")


def format_plan(plan: Plan) -> str:
    """What `harness plan --tensors` prints."""
    head = (
        f"{plan.n_params:,} parameters, {format_bytes(plan.model_size_bytes)} on {', '.join(plan.devices)}, "
        f"split mode {plan.options.split_mode}, {len(plan.layer_devices)} layers"
    )
    sections = [_device_lines(plan), _merge_lines(plan.merges), loan_lines(plan), _tensor_lines(plan.tensors)]
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


def loan_lines(plan: Plan) -> list[str]:
    """From which size on experts are copied to a GPU and what that takes, in sentences; and where they are not."""
    by_outcome: dict[tuple[str, str, bool, str], list[int]] = {}
    for loan in plan.loans:
        by_outcome.setdefault((loan.lender, loan.borrower, loan.done, loan.reason), []).append(loan.layer)
    return [
        _lent(plan, lender, borrower, layers) if done else _kept(lender, layers, reason)
        for (lender, borrower, done, reason), layers in by_outcome.items()
    ]


def _lent(plan: Plan, lender: str, borrower: str, layers: Sequence[int]) -> str:
    own = [tensor for tensor in plan.borrowed if tensor.device == borrower]
    if not plan.lends_from:
        return _kept(lender, layers, "measured, copying did not pay in any ubatch")
    n_bytes, room = format_bytes(sum(tensor.n_bytes for tensor in own)), format_bytes(room_bytes(own)[borrower])
    return (
        f"experts of layers {format_layers(layers)} on {lender}: {borrower} multiplies them for {plan.lends_from} "
        f"tokens and more{_why_from_there(plan)}. It copies those that are used to {room} of its memory, from "
        f"{n_bytes} of the file, which should fit the page cache beside {lender}'s weights"
    )


def _why_from_there(plan: Plan) -> str:
    if plan.lends_measured:
        return ", which was measured to pay"
    return " unless another size is measured to pay" if plan.options.expert_copy == "auto" else ""


def _kept(lender: str, layers: Sequence[int], reason: str) -> str:
    return f"experts of layers {format_layers(layers)} on {lender} are never copied: {reason}"


def _tensor_lines(tensors: tuple[StoredTensor, ...]) -> list[str]:
    spans = _spans(tensors)
    folded: dict[tuple[str, ...], tuple[list[int], int]] = {}
    for tensor in tensors:
        block, row = _BLOCK.match(tensor.name), _row(tensor, spans)
        layers, n_bytes = folded.get(row, ([], 0))
        folded[row] = (layers + ([int(block[1])] if block else []), n_bytes + tensor.n_bytes)
    rows = [
        (row[0].replace("*", format_layers(layers)), *row[1:], format_bytes(n_bytes))
        for row, (layers, n_bytes) in folded.items()
    ]
    return format_table([("tensor", "device", "format", "shape", "layout", "read from", "bytes"), *rows])


def _spans(tensors: Iterable[StoredTensor]) -> Mapping[str, tuple[int, int]]:
    """Where each of the file's tensors begins and ends: between them the devices hold all of it."""
    spans: dict[str, tuple[int, int]] = {}
    for piece in (piece for tensor in tensors for piece in tensor.pieces):
        first, last = piece.file_offset, piece.file_offset + piece.span_bytes
        known = spans.get(piece.tensor, (first, last))
        spans[piece.tensor] = (min(first, known[0]), max(last, known[1]))
    return spans


def _row(tensor: StoredTensor, spans: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    shape = " x ".join(str(extent) for extent in tensor.shape)
    name = _BLOCK.sub("blk.*.", tensor.name)
    return (name, tensor.device, tensor.format, shape, tensor.layout, _sources(tensor, spans))


def _sources(tensor: StoredTensor, spans: Mapping[str, tuple[int, int]]) -> str:
    """The file's tensors a stored one is made of, which part of each, and in how many pieces."""
    by_source: dict[str, list[Piece]] = {}
    for piece in tensor.pieces:
        by_source.setdefault(piece.tensor, []).append(piece)
    by_share: dict[str, list[str]] = {}
    for source, pieces in by_source.items():
        by_share.setdefault(_share(tensor, pieces, *spans[source]), []).append(_BLOCK.sub("", source))
    listed = "; ".join(", ".join(names) + share for share, names in by_share.items())
    return listed if len(tensor.pieces) == 1 else f"{listed} ({len(tensor.pieces)} pieces)"


def _share(tensor: StoredTensor, pieces: Sequence[Piece], start: int, end: int) -> str:
    """Which rows or columns of a source that lies at start … end of its file; nothing for all of it."""
    piece, columns = pieces[0], tensor.shape[-1]
    at = piece.file_offset - start
    if piece.stride:
        first, total = (n * columns // piece.run_bytes for n in (at % piece.stride, piece.stride))
        return f": columns {first}-{first + columns - 1} of {total}"
    held = sum(piece.n_bytes for piece in pieces)
    if held == end - start:
        return ""
    vectors = len(tensor.shape) == 1 or tensor.name.endswith(".bias")  # a matrix's row is one entry of its bias
    n_expert = tensor.shape[0] if len(tensor.shape) == (2 if vectors else 3) else 1
    row_bytes = tensor.row_bytes // columns if vectors else tensor.row_bytes
    n_rows, total = held // row_bytes // n_expert, (end - start) // row_bytes // n_expert
    first = at // row_bytes % total
    return f": rows {first}-{first + n_rows - 1} of {total}{' of each expert' if n_expert > 1 else ''}"
