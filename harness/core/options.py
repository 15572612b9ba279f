"""What a caller may choose about one loaded model; read by the plan and by nothing else that decides."""

from dataclasses import dataclass
from typing import Literal

SplitMode = Literal["none", "layer", "row", "graph"]
Layout = Literal["auto", "packed", "packed_small", "mapped"]
MoePath = Literal["grouped", "per_expert"]
KvType = Literal["f16", "q8_0"]
WireType = Literal["f32", "f16", "bf16"]
ExpertCopy = Literal["off", "auto"] | int


@dataclass(frozen=True)
class Options:
    """Choices for one model on one set of devices.

    `devices` names `cpu:N`, `cuda:N`, `cuda-emulated:N`, `reference` (float32 interpreter) or `reference-q8`
    (activations quantised as the kernels do). `threads` 0 means all usable cores. With several devices `main_gpu` is an
    index into them, `tensor_split` has one share for each, and `threads` are dealt out among those that are CPUs.
    `override_tensor` holds (regular expression over tensor names, device); `n_cpu_moe` counts layers from the end that
    `n_cpu_moe_from` names. `expert_copy` says from how many tokens of a ubatch on a GPU multiplies experts that lie on
    a CPU, copying those it needs; "auto" measures from where that pays. `reduce_type` is what partial sums are rounded
    to on their way between devices. `flash_attn` lets attention over several tokens round what it multiplies: CUDA
    devices round queries and shares to f16, CPUs queries, keys, values and shares to int16; the reference is exact
    either way. `layers` keeps the first N layers only. `ubatch`
    and `n_ctx` are in tokens.
    """

    devices: tuple[str, ...] = ("cpu:0",)
    split_mode: SplitMode = "none"
    tensor_split: tuple[float, ...] = ()
    main_gpu: int = 0
    override_tensor: tuple[tuple[str, str], ...] = ()
    cpu_moe: bool = False
    n_cpu_moe: int = 0
    n_cpu_moe_from: Literal["first", "last"] = "first"
    expert_copy: ExpertCopy = "off"
    reduce_type: WireType = "f32"
    merge_up_gate: bool = False
    merge_qkv: bool = False
    merge_up_gate_shared: bool = False
    fused_moe: bool = True
    moe_path: MoePath = "grouped"
    layout: Layout = "auto"
    type_k: KvType = "f16"
    type_v: KvType = "f16"
    flash_attn: bool = False
    threads: int = 0
    ubatch: int = 512
    n_ctx: int = 4096
    layers: int | None = None
