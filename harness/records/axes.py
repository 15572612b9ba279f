"""One choice per axis: everything that can differ between two cases except model and test.

Names are the YAML keys of the config; `RECORD_FIELDS` says what llama-bench calls them. Units: ubatch, batch in tokens.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Axes:
    """The point of the matrix a case stands at. Field names are YAML keys."""

    engine: str = "core"
    device: str = "cpu:0"
    split_mode: str = "none"
    tensor_split: tuple[float, ...] = ()
    main_gpu: int = 0
    override_tensor: tuple[str, ...] = ()
    cpu_moe: bool = False
    n_cpu_moe: int = 0
    n_cpu_moe_from: str = "first"
    expert_copy: str = "off"
    reduce_type: str = "f32"
    merge_up_gate: bool = False
    merge_qkv: bool = False
    merge_up_gate_shared: bool = False
    fused_moe: bool = True
    moe_path: str = "grouped"
    layout: str = "auto"
    ubatch: int = 512
    batch: int = 2048
    threads: int = 0
    type_k: str = "f16"
    type_v: str = "f16"
    flash_attn: bool = True
    tokens: str = "random"
    cache: str = "warm"
    layers: int | None = None
    repack: bool = False  # peers: -rtr
    mmap: bool = True  # peers: -mmp


RECORD_FIELDS = {
    "merge_up_gate": "muge",
    "merge_qkv": "mqkv",
    "ubatch": "n_ubatch",
    "batch": "n_batch",
    "threads": "n_threads",
    "mmap": "use_mmap",
}
"""Axes whose field in a result row has llama-bench's name instead of the YAML key."""
