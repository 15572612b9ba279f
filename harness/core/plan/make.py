"""Makes the plan: a pure function of model and options; it reads no weights and touches no device."""

import math
import re
from collections.abc import Iterator

from harness.core.errors import PlanError
from harness.core.models.recipe import Model
from harness.core.options import Options
from harness.core.plan.groups import Group, layer_groups
from harness.core.plan.layout import kind_of, layout_on
from harness.core.plan.merges import decide_merges, merged_in
from harness.core.plan.pieces import all_rows, stored
from harness.core.plan.types import Plan, StoredTensor

KINDS = ("cpu", "cuda", "cuda-emulated", "reference", "reference-q8")
_BLOCK = re.compile(r"blk\.(\d+)\.")


def make_plan(model: Model, options: Options) -> Plan:
    """Where every tensor lives and what is merged. Errors: PlanError for options that cannot be met."""
    n_layer = check_options(model, options)
    device = options.devices[0]
    merges = decide_merges(model, options, n_layer)
    groups = (
        group
        for index, layer in enumerate(model.recipe.layers[:n_layer])
        for step in layer_groups(layer, index, merged_in(merges, index)).values()
        for group in step
    )
    tensors = [_store(group, device, options, model) for group in (*_outer_groups(model), *groups)]
    n_params, size_bytes = _extent(model, n_layer)
    return Plan(
        options=options,
        tensors=tuple(tensors),
        merges=merges,
        layer_devices=((device,),) * n_layer,
        model_size_bytes=size_bytes,
        n_params=n_params,
    )


def check_options(model: Model, options: Options) -> int:
    """The number of layers that are kept. Errors: PlanError."""
    if not options.devices:
        raise PlanError("no device was given; name one, such as cpu:0")
    for device in options.devices:
        if kind_of(device) not in KINDS:
            raise PlanError(f"device {device!r} is unknown; known are {', '.join(KINDS)}, the first three with :N")
    if len(options.devices) > 1 or options.split_mode != "none":
        raise PlanError(f"split mode {options.split_mode} over {len(options.devices)} devices is not implemented yet")
    for name, value in (("ubatch", options.ubatch), ("n_ctx", options.n_ctx)):
        if value < 1:
            raise PlanError(f"{name} is {value}; it must be at least 1")
    if (options.type_k, options.type_v) != ("f16", "f16"):
        raise PlanError(f"KV cache types {options.type_k}/{options.type_v} are not implemented yet; use f16")
    n_layer = model.n_layer if options.layers is None else options.layers
    if not 1 <= n_layer <= model.n_layer:
        raise PlanError(f"layers is {n_layer}, but {model.name} has {model.n_layer}")
    return n_layer


def _outer_groups(model: Model) -> Iterator[Group]:
    recipe = model.recipe
    outer = {"table": recipe.embedding, "norm": recipe.output_norm, "output": recipe.output}
    if recipe.output == recipe.embedding:
        del outer["table"]
    for role, weight in outer.items():
        yield Group(role, weight.name, (weight,))


def _store(group: Group, device: str, options: Options, model: Model) -> StoredTensor:
    weight = group.weights[0]
    multiplied = weight.columns > 0 and group.role != "table"
    layout = layout_on(device, options, weight.format, multiplied=multiplied)
    return stored(group.name, device, layout, [all_rows(part) for part in group.weights], model.file)


def _extent(model: Model, n_layer: int) -> tuple[int, int]:
    """Parameters and bytes of the file's tensors, without those of blocks that are cut off."""
    kept = [tensor for name, tensor in model.file.tensors.items() if _block_of(name) < n_layer]
    return sum(math.prod(tensor.shape) for tensor in kept), sum(tensor.n_bytes for tensor in kept)


def _block_of(name: str) -> int:
    match = _BLOCK.match(name)
    return int(match[1]) if match else -1
