"""Refuses options that cannot be met, each in one sentence, before anything is placed."""

from collections.abc import Sequence

from harness.core.errors import PlanError
from harness.core.models.recipe import Model
from harness.core.options import Options
from harness.core.plan.layout import index_of, kind_of

KINDS = ("cpu", "cuda", "cuda-emulated", "reference", "reference-q8")
KV_BLOCK = 32


def check_options(model: Model, options: Options) -> int:
    """The number of layers that are kept. Errors: PlanError."""
    if not options.devices:
        raise PlanError("no device was given; name one, such as cpu:0")
    if len(set(options.devices)) < len(options.devices):
        raise PlanError(f"devices {', '.join(options.devices)} name one twice; each can be given once")
    if not 0 <= options.main_gpu < len(options.devices):
        raise PlanError(f"main_gpu is {options.main_gpu}, but there are {len(options.devices)} devices, from 0 on")
    if options.split_mode in ("row", "graph") and len(options.devices) == 1:
        raise PlanError(f"split mode {options.split_mode} needs at least two devices; use none or layer for one")
    for name, value in (("ubatch", options.ubatch), ("n_ctx", options.n_ctx)):
        if value < 1:
            raise PlanError(f"{name} is {value}; it must be at least 1")
    _check_experts(options)
    n_layer = model.n_layer if options.layers is None else options.layers
    if not 1 <= n_layer <= model.n_layer:
        raise PlanError(f"layers is {n_layer}, but {model.name} has {model.n_layer}")
    _check_kv(model, options)
    for device in options.devices:
        _check_known(device)
    return n_layer


def _check_experts(options: Options) -> None:
    """Numbers about experts on the CPU."""
    if options.n_cpu_moe < 0:
        raise PlanError(f"n_cpu_moe is {options.n_cpu_moe}; it counts layers")
    if isinstance(options.expert_copy, int) and options.expert_copy < 1:
        raise PlanError(f"expert_copy is {options.expert_copy}; it is off, auto or a number of tokens from 1 on")


def check_devices(devices: Sequence[str]) -> None:
    """The devices a placement uses, those that overrides brought in among them. Errors: PlanError."""
    for device in devices:
        _check_known(device)


def _check_known(device: str) -> None:
    if kind_of(device) not in KINDS:
        raise PlanError(f"device {device!r} is unknown; known are {', '.join(KINDS)}, the first three with :N")
    index_of(device)


def _check_kv(model: Model, options: Options) -> None:
    """Blocks of a quantised cache lie within a head."""
    part = model.recipe.layers[0].attention
    for axis, kind, width in (("type_k", options.type_k, part.head_dim), ("type_v", options.type_v, part.head_dim_v)):
        if kind == "q8_0" and width % KV_BLOCK:
            raise PlanError(f"{axis} q8_0 needs heads of a multiple of {KV_BLOCK} numbers, not {width}; use f16")
