"""Makes the plan: a pure function of model and options; it reads no weights and touches no device."""

import math
import re
from collections.abc import Iterator

from harness.core.models.recipe import Model
from harness.core.options import Options
from harness.core.plan.checks import check_devices, check_options
from harness.core.plan.cuts import cuts
from harness.core.plan.groups import ATTENTION_STEPS, Group, head_name, layer_groups
from harness.core.plan.layout import layout_on
from harness.core.plan.lending import BORROWED, decide_loans, lends_from
from harness.core.plan.merges import decide_merges, merged_in
from harness.core.plan.pieces import Range, RowRange, all_rows, stored
from harness.core.plan.place import place
from harness.core.plan.placement import Placement
from harness.core.plan.types import Loan, MergeDecision, Plan, StoredTensor

_BLOCK = re.compile(r"blk\.(\d+)\.")


def make_plan(model: Model, options: Options) -> Plan:
    """Where every tensor lives and what is merged. Errors: PlanError for options that cannot be met."""
    n_layer = check_options(model, options)
    placement = place(model, options, n_layer)
    check_devices(placement.devices)
    merges = decide_merges(model, options, n_layer)
    loans = decide_loans(model, options, placement)
    tensors = (
        *_outer_tensors(model, options, placement),
        *_layer_tensors(model, options, placement, merges),
        *(tensor for loan in loans if loan.done for tensor in _beside_loan(model, options, loan, merges)),
    )
    n_params, size_bytes = _extent(model, n_layer)
    return Plan(
        options=options,
        tensors=tensors,
        merges=merges,
        placement=placement,
        model_size_bytes=size_bytes,
        n_params=n_params,
        loans=loans,
        borrowed=tuple(tensor for loan in loans if loan.done for tensor in _of_loan(model, loan, merges)),
        lends_from=lends_from(options) if any(loan.done for loan in loans) else 0,
    )


def _layer_tensors(
    model: Model, options: Options, placement: Placement, merges: tuple[MergeDecision, ...]
) -> Iterator[StoredTensor]:
    for index, placed in enumerate(placement.layers):
        layer = model.recipe.layers[index]
        for step, groups in layer_groups(layer, index, merged_in(merges, index)).items():
            of_attention = step in ATTENTION_STEPS
            part = placed.attention if of_attention else placed.feed_forward
            recipe = layer.attention if of_attention else layer.feed_forward
            for group in groups:
                for device, ranges in cuts(group, part, recipe):
                    yield _store(group, device, ranges, options, model)


def _beside_loan(
    model: Model, options: Options, loan: Loan, merges: tuple[MergeDecision, ...]
) -> Iterator[StoredTensor]:
    """What the borrower has of its own: norm, router and biases, which the lender has too."""
    for group in _feed_forward_groups(model, loan.layer, merges):
        if group.role not in BORROWED:
            yield _store(group, loan.borrower, tuple(map(all_rows, group.weights)), options, model)


def _of_loan(model: Model, loan: Loan, merges: tuple[MergeDecision, ...]) -> Iterator[StoredTensor]:
    """The experts' matrices as the borrower sees them: the lender's rows, none of them placed."""
    for group in _feed_forward_groups(model, loan.layer, merges):
        if group.role in BORROWED:
            ranges = tuple(map(all_rows, group.weights))
            yield stored(group.name, loan.borrower, "borrowed", ranges, model.file)


def _feed_forward_groups(model: Model, index: int, merges: tuple[MergeDecision, ...]) -> Iterator[Group]:
    for step, groups in layer_groups(model.recipe.layers[index], index, merged_in(merges, index)).items():
        if step not in ATTENTION_STEPS:
            yield from groups


def _outer_tensors(model: Model, options: Options, placement: Placement) -> Iterator[StoredTensor]:
    """Embedding table, output norm and output; the table is the output too where the file has but one."""
    recipe, head = model.recipe, placement.head
    table = Group("table", recipe.embedding.name, (recipe.embedding,))
    norm = Group("norm", recipe.output_norm.name, (recipe.output_norm,))
    output = Group("output", head_name(model, placement), (recipe.output,))
    for device in (head.main,) if head.how == "row" else head.devices:
        yield _store(norm, device, (all_rows(recipe.output_norm),), options, model)
    for share in head.shares:
        yield _store(output, share.device, (RowRange(recipe.output, share.first, share.count),), options, model)
    if table.name != output.name or placement.embedding != head.main:
        yield _store(table, placement.embedding, (all_rows(recipe.embedding),), options, model)


def _store(group: Group, device: str, ranges: tuple[Range, ...], options: Options, model: Model) -> StoredTensor:
    weight = group.weights[0]
    multiplied = weight.columns > 0 and group.role != "table"
    layout = layout_on(device, options, weight.format, multiplied=multiplied)
    return stored(group.name, device, layout, ranges, model.file)


def _extent(model: Model, n_layer: int) -> tuple[int, int]:
    """Parameters and bytes of the file's tensors, without those of blocks that are cut off."""
    kept = [tensor for name, tensor in model.file.tensors.items() if _block_of(name) < n_layer]
    return sum(math.prod(tensor.shape) for tensor in kept), sum(tensor.n_bytes for tensor in kept)


def _block_of(name: str) -> int:
    match = _BLOCK.match(name)
    return int(match[1]) if match else -1
